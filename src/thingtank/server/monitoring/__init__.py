"""What operators and their programs ask a server: is it alive, is it ready, how is it."""
