"""INT8 bundles of any network, quantized as NNCF does by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx

from lwam_mm.deploy.exporter import Exporter
from lwam_mm.quantization.silent_nncf import import_nncf, quiet_nncf
from lwam_mm.runtime import Bundle
from lwam_mm.runtime.engines.openvino_core import openvino_core
from lwam_mm.runtime.engines.telemetry import no_telemetry


def pack_peer_int8(
    exporter: Exporter, model: onnx.ModelProto, images: Sequence[np.ndarray], transformer: bool
) -> Bundle:
    """Quantize a network's plain export and write it as a bundle for OpenVINO.

    Args:
        exporter: The network's exporter to OpenVINO.
        model: The plain export.
        images: Calibration images as the model takes them, float32 (1, 3, H, W) each.
        transformer: Whether it holds attention, which NNCF then treats by its own scheme.
    """
    with no_telemetry():
        import openvino

    nncf = import_nncf()
    with quiet_nncf():
        quantized = nncf.quantize(
            openvino_core().read_model(model.SerializeToString()),
            nncf.Dataset(list(images)),
            subset_size=len(images),
            model_type=nncf.ModelType.TRANSFORMER if transformer else None,
        )
    main = exporter.folder / "model.xml"
    openvino.save_model(quantized, main, compress_to_fp16=False)
    files = [main, main.with_suffix(".bin")]
    return exporter.write(files, replace(exporter.manifest, precision="int8"))
