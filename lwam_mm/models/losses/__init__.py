"""Losses, one file each, registered in mmseg."""
