"""How fast everything is, side by side, each in a process of its own.

This module imports nothing: the processes that measure the runtime side pass through it and must
stay free of torch.
"""
