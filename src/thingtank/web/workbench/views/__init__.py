"""The workbench's views, one module a noun."""
