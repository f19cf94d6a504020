"""What an MQTT client may do with topics: rules of the settings, and the tank's own."""
