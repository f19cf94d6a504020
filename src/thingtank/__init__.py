"""Thing Tank: the IoT cloud you own."""
