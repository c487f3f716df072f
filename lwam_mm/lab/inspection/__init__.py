"""Looking at a data set, and at what a net does wrong on it."""
