"""The bridge: users' topics of a WAMP realm and of MQTT are one.

names.py     which topics cross, and what they are called on the other side
payloads.py  arguments in octets, octets in arguments
rights.py    what the bridge may do in its realm
settings.py  which realm and which role of it
to_mqtt.py   publications of the realm, for subscribers of MQTT
to_wamp.py   messages of MQTT, for subscribers of the realm
connect.py   connects a realm and a broker
"""
