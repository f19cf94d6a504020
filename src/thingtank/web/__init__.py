"""Django: accounts, catalog, workbench."""
