"""Turns an image into the network's input, and logits into labels and probabilities."""

import cv2
import numpy as np

from lwam_mm.runtime.manifest import InputSpec


def to_batch(image: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Turn an image, uint8 of shape (H, W, 3), BGR, into the input of a bundle's model.

    The steps, their order and their arithmetic are MMSegmentation's at test time: resize in uint8,
    BGR to RGB, (x - mean) / std in float32, zero padding. For a "frame" input everything after the
    resize is part of the graph.

    Returns:
        For a "frame" uint8 of shape (1, h, w, 3), for a "tensor" float32 of shape (1, 3, h, w).
        (h, w) is ``spec.size`` for "stretch"; else (H, W), which for a "tensor" are rounded up to
        multiples of ``spec.size_divisor``, with the image in the upper left corner.
    """
    if spec.size is not None:
        image = _resize(image, spec.size)
    if spec.kind == "frame":
        return np.ascontiguousarray(image)[None]
    if spec.size is not None:
        height, width = spec.size
    else:
        height, width = (
            -(-side // spec.size_divisor) * spec.size_divisor for side in image.shape[:2]
        )
    batch = np.zeros((1, 3, height, width), np.float32)
    rows, columns = image.shape[:2]
    # A lookup table of the 256 values is several times quicker than dividing every pixel.
    levels = np.arange(256, dtype=np.float32)
    for channel in range(3):
        table = (levels - np.float32(spec.mean[channel])) / np.float32(spec.std[channel])
        batch[0, channel, :rows, :columns] = np.take(table, image[:, :, 2 - channel])
    return batch


def to_image_size(logits: np.ndarray, size: tuple[int, int], spec: InputSpec) -> np.ndarray:
    """Undo the resizing or padding of `to_batch`: (C, h, w) to the image's (H, W).

    For "stretch" the logits are resized bilinearly with half-pixel centres, else cropped.
    """
    if spec.size is None:
        return logits[:, : size[0], : size[1]]
    if logits.shape[1:] == size:
        return logits
    return np.stack([_resize(plane, size) for plane in logits])


def argmax(logits: np.ndarray) -> np.ndarray:
    """Return each pixel's class of highest logit, uint8 (H, W); the first of equal ones."""
    # Comparing whole planes, class by class, is quicker than numpy's argmax across them.
    labels = np.zeros(logits.shape[1:], np.uint8)
    best = logits[0]
    for label in range(1, len(logits)):
        labels[logits[label] > best] = label
        best = np.maximum(best, logits[label])
    return labels


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return each pixel's class probabilities, float32 (C, H, W)."""
    exponentials: np.ndarray = np.exp(logits - logits.max(axis=0))
    exponentials /= exponentials.sum(axis=0)
    return exponentials


def _resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if image.shape[:2] == size:
        return image
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
