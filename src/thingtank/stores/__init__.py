"""Where the archive is kept."""
