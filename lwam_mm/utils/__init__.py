"""Helpers that know no other package of lwam_mm."""
