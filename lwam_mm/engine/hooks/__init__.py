"""Hooks of the training loop, registered in mmengine."""
