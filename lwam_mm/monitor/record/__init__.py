"""The record: builds, layers, regions, alarms and what is still to be sent, in a database."""
