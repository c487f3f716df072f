"""The interface of the inference engines."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Output:
    """A model's output for one batch; an engine may overwrite the arrays in its next call."""

    logits: np.ndarray | None  # float32 of shape (1, C, H, W); None where not asked for
    labels: np.ndarray | None = None  # uint8 of shape (1, H, W), where the model has this output
    check: np.ndarray | None = None  # float32 of shape (1,), where the model has this output


class Engine(Protocol):
    """A loaded model."""

    def __call__(self, batch: np.ndarray, *, logits: bool = True) -> Output:
        """Run the model.

        Args:
            batch: What ``to_batch`` made.
            logits: Whether to compute the logits too. False leaves them out where the model has
                labels with a check of the logits.

        Raises:
            EngineError: The engine failed.
        """
