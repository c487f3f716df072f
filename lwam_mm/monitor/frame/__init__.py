"""Judges a frame before its layer: whether the model's answer can be trusted at all."""
