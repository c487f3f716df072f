"""Turns regions into verdicts and alarms, by rules that can be replayed."""
