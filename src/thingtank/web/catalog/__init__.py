"""The catalog: devices, datastreams and keys in the database."""
