"""What bytes mean, protocol by protocol. No I/O."""
