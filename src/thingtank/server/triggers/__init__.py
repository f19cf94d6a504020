"""Triggers at work: from committed datapoints to deliveries that are recorded in the outbox."""
