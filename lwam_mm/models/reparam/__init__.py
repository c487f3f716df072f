"""Structural re-parameterization: blocks that train as branches and fold into one convolution."""
