"""Log lines and curves of a training."""
