"""Archives of millions of images: several workers, on one machine or many, and a list on disk."""
