"""An INT8 model within the gate's limits, with as few layers in float as that takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from lwam_mm.deploy.compared_models import Sample, bundle_stage
from lwam_mm.deploy.gate import INT8, Limits, run_gate
from lwam_mm.quantization.quantize import quantize, quantize_with_accuracy_control
from lwam_mm.runtime import Bundle, Predictor

# NNCF wants finite scores, and a limit may be 0.
_FAR_OUT = 1e6


@dataclass(frozen=True)
class Int8Result:
    """An INT8 bundle, and for the record how it came about.

    Attributes:
        bundle: the bundle.
        provenance: whether accuracy control was needed, and which layers stayed in float.
    """

    bundle: Bundle
    provenance: dict[str, Any]


def quantize_within(
    model: onnx.ModelProto,
    calibration: Sequence[np.ndarray],
    pack: Callable[[onnx.ModelProto], Bundle],
    float_bundle: Bundle,
    samples: Sequence[Sample],
    limits: Limits | None,
    progress: Callable[[str], None] = lambda line: None,
) -> Int8Result:
    """Quantize a plain float export; where the result leaves the limits, with accuracy control.

    Args:
        model: the plain float export.
        calibration: training images as it takes them.
        pack: makes a bundle of an INT8 model.
        float_bundle: the bundle of ``model``.
        samples: labelled validation images.
        limits: how far INT8 may lie from float; None for any distance.
        progress: called with one line of text at each step.

    Raises:
        lwam_mm.quantization.quantize.QuantizationError: not even with layers in float is it within
            the limits.
    """
    limits = limits or Limits()
    classes = float_bundle.manifest.classes

    def scores(bundle: Bundle) -> dict[str, float | None]:
        stage = bundle_stage(Predictor(bundle.root))
        return run_gate({INT8: stage}, samples, classes, {}).stages[INT8]

    float_scores = scores(float_bundle)

    def badness(candidate: onnx.ModelProto) -> float:
        """How far a model uses up the limits: 1 where the tightest of them is just kept."""
        if candidate is model:
            return 0.0
        allowed = dict.fromkeys(classes, limits.class_iou) | {"mIoU": limits.miou}
        return max(
            _share(float_scores[name] - score, allowed[name])
            for name, score in scores(pack(candidate)).items()
            if score is not None
        )

    plain = quantize(model, calibration)
    loss = badness(plain)
    if loss <= 1:
        return Int8Result(pack(plain), dict(accuracy_control=False, float_layers=[]))
    progress(
        f"plain INT8 uses {loss:.2f} of what the gate allows: return layers to float, one by one"
    )
    controlled = quantize_with_accuracy_control(
        model, calibration, lambda candidate: -badness(candidate), max_drop=1.0
    )
    return Int8Result(
        pack(controlled.model),
        dict(accuracy_control=True, float_layers=list(controlled.float_layers)),
    )


def _share(loss: float, limit: float | None) -> float:
    if loss <= 0 or limit is None:
        return 0.0
    return min(loss / limit, _FAR_OUT) if limit else _FAR_OUT
