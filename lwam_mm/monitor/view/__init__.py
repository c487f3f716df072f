"""What page and report show of a build: columns of figures, and pictures."""
