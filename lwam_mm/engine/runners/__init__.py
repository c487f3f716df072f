"""Runners, registered in mmengine."""
