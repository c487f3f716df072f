"""What the labels in a build's masks mean, even if the model changed in the middle of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lwam_mm.monitor.record.tables import Document, Layer


@dataclass(frozen=True, eq=False)
class BuildClasses:
    """The classes of all models that looked at a build.

    Attributes:
        names: Class names, the background first: those of the latest model, then those that only
            an earlier one had.
        of_model: Class names of each model, by its hash.
    """

    names: tuple[str, ...]
    of_model: dict[str, tuple[str, ...]]

    def translate(
        self, labels: np.ndarray, model: str | None, names: Sequence[str] | None = None
    ) -> np.ndarray:
        """Return a mask that some model made, in classes that are the same for all.

        Args:
            labels: uint8 of shape (H, W), as that model numbers its classes.
            model: The model's hash.
            names: The classes to number by, in place of `names`; others become background.

        Returns:
            uint8 of shape (H, W), indices of ``names``.

        Example:
            >>> classes = BuildClasses(("-", "A", "B"), {"old": ("-", "B", "A")})
            >>> classes.translate(np.array([[0, 1, 2]], np.uint8), "old").tolist()
            [[0, 2, 1]]
        """
        index = {name: at for at, name in enumerate(names or self.names)}
        lookup = np.arange(256, dtype=np.uint8)
        theirs = self.of_model.get(model or "", ())[1:]
        lookup[1 : len(theirs) + 1] = [index.get(name, 0) for name in theirs]
        return np.asarray(lookup[labels])


def build_classes(session: Session, build_id: int) -> BuildClasses:
    """Return the classes of the models that looked at a build."""
    digests = session.scalars(
        select(Layer.model_sha256)
        .where(Layer.build_id == build_id, Layer.model_sha256.is_not(None))
        .group_by(Layer.model_sha256)
        .order_by(func.max(Layer.id).desc())
    ).all()
    documents = [session.get(Document, digest) for digest in digests]
    of_model = {
        document.sha256: tuple(json.loads(document.text)["classes"])
        for document in documents
        if document is not None
    }
    # Class 0 of every model is the background, whatever its name.
    known = [names[0] for names in of_model.values()][:1]
    for names in of_model.values():
        known += [name for name in names[1:] if name not in known]
    return BuildClasses(tuple(known), of_model)
