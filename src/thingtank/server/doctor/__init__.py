"""`thingtank doctor`: what is wrong with an instance and its machine, and what to do about it."""
