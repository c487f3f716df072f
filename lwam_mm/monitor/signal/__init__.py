"""Tells others what was seen: webhook, MQTT and Modbus. A request to stop, no safety function."""
