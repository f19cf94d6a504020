"""Messages between devices over MQTT, as meshblu-mqtt and skynet-mqtt speak it.

It is the MQTT door's broker that these topics are on; what this package needs of that door comes
through structural interfaces.

Source: Meshblu, mqttServer, versions 1.0 to 1.18.
"""
