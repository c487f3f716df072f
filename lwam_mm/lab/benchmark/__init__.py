"""Latency, memory and distillation speed, measured side by side in separate processes.

This package imports nothing: the processes that time the runtime import it and must stay free of
torch.
"""
