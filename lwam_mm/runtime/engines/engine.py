"""The interface of the inference engines."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Output:
    """A model's output for one batch; an engine may overwrite the arrays in its next call.

    Attributes:
        logits: float32 of shape (1, C, H, W).
        labels: uint8 of shape (1, H, W); None where the model has no such output.
    """

    logits: np.ndarray
    labels: np.ndarray | None = None


class Engine(Protocol):
    """A loaded model."""

    def __call__(self, batch: np.ndarray) -> Output:
        """Run the model.

        Args:
            batch: By the bundle's input specification, float32 of shape (1, 3, H, W) or uint8 of
                shape (1, H, W, 3).

        Returns:
            The outputs that the bundle names.

        Raises:
            EngineError: The engine failed.
        """
