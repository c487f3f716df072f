"""Helpers that import no other package of lwam_mm."""
