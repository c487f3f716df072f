"""Inference engines; each is imported only when a bundle names it."""
