"""Accounts: who signs in and owns devices."""
