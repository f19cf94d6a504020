"""Rules that send values on: which values, how they are put, and how batches of them are sent."""
