"""The app: readings and stations, their pages and their REST API."""
