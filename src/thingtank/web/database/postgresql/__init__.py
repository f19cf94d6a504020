"""Django's PostgreSQL, keeping JSON as it was written."""
