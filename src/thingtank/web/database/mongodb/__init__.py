"""MongoDB's own Django backend, with whole numbers for ids."""
