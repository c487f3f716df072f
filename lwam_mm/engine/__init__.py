"""The training engine: runners, loops, hooks and logging on mmengine."""
