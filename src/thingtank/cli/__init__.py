"""The thingtank command."""
