"""An INT8 model within the gate's limits, with as few layers in float as that takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from lwam_mm.deploy.compared_models import LabelledImage, bundle_stage
from lwam_mm.deploy.gate import INT8, Limits, run_gate
from lwam_mm.quantization.quantize import quantize, quantize_with_accuracy_control
from lwam_mm.runtime import Bundle, Predictor

# NNCF wants finite scores, and a limit may be 0.
_FAR_OUT = 1e6


def quantize_within(
    model: onnx.ModelProto,
    calibration: Sequence[np.ndarray],
    pack: Callable[[onnx.ModelProto], Bundle],
    float_bundle: Bundle,
    images: Sequence[LabelledImage],
    limits: Limits | None,
    progress: Callable[[str], None] = lambda line: None,
) -> Bundle:
    """Quantize a plain float export; if the result breaks the limits, with accuracy control.

    ``calibration`` are training images as the model takes them, ``pack`` makes a bundle of an INT8
    model, and ``limits`` say how far it may be from ``float_bundle``, None any distance. The
    provenance of the INT8 bundle says whether accuracy control was needed, and which layers stayed
    in float.

    Raises:
        lwam_mm.quantization.quantize.QuantizationError: It is outside the limits even with layers
            in float.
    """
    limits = limits or Limits()
    classes = float_bundle.manifest.classes
    allowed = dict.fromkeys(classes, limits.class_iou) | {"mIoU": limits.miou}

    def scores(bundle: Bundle) -> dict[str, float | None]:
        stage = bundle_stage(Predictor(bundle.root))
        return run_gate({INT8: stage}, images, classes, {}).stages[INT8]

    float_scores = scores(float_bundle)

    def share_used(candidate: onnx.ModelProto) -> float:
        """Return how much of the limits a model uses: 1 where the tightest is just kept."""
        if candidate is model:
            return 0.0
        return max(
            _share(float_scores[name] - score, allowed[name])
            for name, score in scores(pack(candidate)).items()
            if score is not None
        )

    def packed(quantized: onnx.ModelProto, **how: Any) -> Bundle:
        bundle = pack(quantized)
        provenance = dict(int8=dict(calibration_images=len(calibration), **how))
        manifest = bundle.manifest
        manifest = replace(manifest, provenance={**manifest.provenance, **provenance})
        return replace(bundle, manifest=manifest)

    plain = quantize(model, calibration)
    used = share_used(plain)
    if used <= 1:
        return packed(plain, accuracy_control=False, float_layers=[])
    progress(
        f"plain INT8 uses {used:.2f} times what the gate allows: return layers to float, one by one"
    )
    controlled = quantize_with_accuracy_control(
        model, calibration, lambda candidate: -share_used(candidate), max_drop=1.0
    )
    return packed(
        controlled.model, accuracy_control=True, float_layers=list(controlled.float_layers)
    )


def _share(loss: float, limit: float | None) -> float:
    if loss <= 0 or limit is None:
        return 0.0
    return min(loss / limit, _FAR_OUT) if limit else _FAR_OUT
