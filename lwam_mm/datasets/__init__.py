"""Powder-bed data: the dataset, its checks, loading and augmentation, the synthetic generator.

Nothing is imported here: the generator and the dataset check work without torch.
"""
