"""Segmentors, registered in mmseg."""
