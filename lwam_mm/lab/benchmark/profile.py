"""Where the time goes: OpenVINO's own timing of each layer."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from lwam_mm.runtime import Bundle, read_image
from lwam_mm.runtime.engines.openvino_core import openvino_core
from lwam_mm.runtime.pre_and_postprocessing import to_batch
from lwam_mm.utils.errors import UserError

_CALLS = 10


@dataclass(frozen=True)
class LayerTime:
    """A layer as OpenVINO runs it.

    Attributes:
        name: Its name.
        kind: Its operation, such as ``"Convolution"``.
        kernel: The code that runs it, with instruction set and precision.
        milliseconds: Median time of one call.
    """

    name: str
    kind: str
    kernel: str
    milliseconds: float


def compile_for_latency(model: str | Path, threads: int, **settings: str) -> Any:
    """Compile a model in OpenVINO for one image at a time, in float32 where not quantized."""
    settings |= {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(threads),
    }
    return openvino_core().compile_model(model, "CPU", settings)


def profile_layers(bundle: Bundle, picture: Path, threads: int) -> list[LayerTime]:
    """Time each layer of an OpenVINO bundle, the slowest first.

    Args:
        bundle: The bundle.
        picture: An image file.
        threads: Threads to use.

    Raises:
        UserError: The bundle is for another engine.
    """
    if bundle.manifest.engine != "openvino":
        raise UserError(
            f"{bundle.root}: is for {bundle.manifest.engine}, which cannot be profiled; choose an "
            "OpenVINO bundle"
        )
    compiled = compile_for_latency(bundle.model_path, threads, PERF_COUNT="YES")
    request = compiled.create_infer_request()
    batch = to_batch(read_image(picture), bundle.manifest.input)
    times: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for call in range(1 + _CALLS):
        request.infer([batch], share_inputs=True, share_outputs=True)
        if call == 0:  # warm-up
            continue
        for layer in request.profiling_info:
            key = (layer.node_name, layer.node_type, layer.exec_type)
            times[key].append(layer.real_time.total_seconds() * 1000)
    layers = [LayerTime(*key, median(found)) for key, found in times.items()]
    return sorted(layers, key=lambda layer: -layer.milliseconds)


def format_profile(layers: list[LayerTime], top: int = 20) -> str:
    """Format the slowest layers as lines of text, with the sum of all layers below."""
    total = sum(layer.milliseconds for layer in layers)
    lines = [f"{'ms':>8}  {'share':>6}  {'kind':<24} {'kernel':<28} layer"]
    lines += [
        f"{layer.milliseconds:8.2f}  {layer.milliseconds / total if total else 0:6.1%}  "
        f"{layer.kind:<24} {layer.kernel:<28} {layer.name}"
        for layer in layers[:top]
    ]
    return "\n".join([*lines, f"{total:8.2f}  all {len(layers)} layers together"])
