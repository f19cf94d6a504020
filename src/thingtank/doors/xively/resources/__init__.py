"""What each resource does with each method: a module a resource, a function a cell of the table.

`routes.py` is the table.
"""
