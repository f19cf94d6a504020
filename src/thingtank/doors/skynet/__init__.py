"""SkyNet and Meshblu: device messaging over REST, socket.io of all ages, WebSocket and MQTT.

`operations` do what is asked, whatever the wire; the other modules read requests and shape answers.
"""
