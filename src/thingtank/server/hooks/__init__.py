"""Hooks and forwards of devices at work: from what happened to deliveries in the outbox."""
