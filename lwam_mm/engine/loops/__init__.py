"""Training loops, registered in mmengine."""
