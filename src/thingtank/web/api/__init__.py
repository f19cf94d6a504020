"""The REST API of the tank, on Django REST framework."""
