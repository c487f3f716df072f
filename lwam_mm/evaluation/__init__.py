"""Evaluation: segmentation scores in numpy, and the metric that brings them to a runner."""
