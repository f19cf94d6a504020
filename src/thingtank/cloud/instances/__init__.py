"""Single machines of EC2 that run Thing Tank: launched, listed, stopped, started, terminated."""
