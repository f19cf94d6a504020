"""Sources at work: rules that read what other systems have into feeds."""
