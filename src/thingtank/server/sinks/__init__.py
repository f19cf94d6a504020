"""Sinks at work: rules that send what is written on to other services, behind the journal."""
