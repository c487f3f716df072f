"""Loading and augmentation, registered in mmseg."""
