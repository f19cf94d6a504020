"""Xively over MQTT: topics named by paths of the HTTP API, published to and subscribed to."""
