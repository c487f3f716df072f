"""The interface of the inference engines."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Output:
    """A model's output for one batch; an engine may overwrite the arrays in its next call."""

    logits: np.ndarray  # float32 of shape (1, C, H, W)
    labels: np.ndarray | None = None  # uint8 of shape (1, H, W), where the model has this output


class Engine(Protocol):
    """A loaded model."""

    def __call__(self, batch: np.ndarray) -> Output:
        """Run the model on a batch that ``to_batch`` made.

        Raises:
            EngineError: The engine failed.
        """
