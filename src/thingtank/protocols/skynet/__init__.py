"""What SkyNet's and Meshblu's words mean, of all generations. No I/O."""
