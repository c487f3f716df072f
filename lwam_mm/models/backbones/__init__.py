"""Encoders, registered in mmseg."""
