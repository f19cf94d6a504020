"""Who an MQTT client is: what CONNECT and AUTH say, and whom that makes it."""
