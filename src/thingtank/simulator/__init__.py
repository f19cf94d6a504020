"""A weather station that does not exist: its weather, and the program that reports it by HTTP."""
