"""Turns a predicted mask into regions with a size, a place and a past."""
