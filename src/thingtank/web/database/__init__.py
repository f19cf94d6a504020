"""The database of the directory: which one, how it is reached, and whose it is."""
