"""What the request log is told of packets: which device they name, what they say, what became."""
