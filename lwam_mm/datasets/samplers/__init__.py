"""Which sample is drawn when."""
