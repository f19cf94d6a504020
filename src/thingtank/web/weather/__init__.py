"""The weather station of the book's sections 8.4 and 8.5: an app of its own that teaches Django."""
