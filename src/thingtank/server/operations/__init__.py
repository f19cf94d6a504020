"""What the command line does to an instance: one implementation, in a server or without one."""
