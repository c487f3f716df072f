"""Decoders with their classifier, registered in mmseg."""
