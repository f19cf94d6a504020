"""Where the tank sends things on: webhooks and e-mail."""
