"""The order in which samples are drawn."""
