"""The core: things, access, directory, archive, bus and actions."""
