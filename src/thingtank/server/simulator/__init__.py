"""The weather simulator in the server: each account may have one running."""
