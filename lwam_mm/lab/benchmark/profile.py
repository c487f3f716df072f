"""Where the time goes: OpenVINO's own count for each layer."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from lwam_mm.runtime import Bundle, read_image
from lwam_mm.runtime.engines.openvino_core import openvino_core
from lwam_mm.runtime.pre_and_postprocessing import to_batch
from lwam_mm.utils.errors import UserError

_RUNS = 10


@dataclass(frozen=True)
class Layer:
    """A layer as OpenVINO runs it.

    Attributes:
        name: its name.
        kind: what it does, such as ``"Convolution"``.
        kernel: the code that does it, with the instruction set and the precision.
        milliseconds: of one call, the median.
    """

    name: str
    kind: str
    kernel: str
    milliseconds: float


def profile(bundle: Bundle, picture: Path, threads: int) -> list[Layer]:
    """Time each layer of an OpenVINO bundle, the slowest first.

    Args:
        bundle: the bundle.
        picture: an image file.
        threads: threads to use.

    Raises:
        UserError: it is a bundle of another engine.
    """
    if bundle.manifest.engine != "openvino":
        raise UserError(
            f"{bundle.root}: is for {bundle.manifest.engine}, which cannot be profiled; give an "
            "OpenVINO row"
        )
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(threads),
        "PERF_COUNT": "YES",
    }
    compiled = openvino_core().compile_model(bundle.model_path, "CPU", settings)
    request = compiled.create_infer_request()
    batch = to_batch(read_image(picture), bundle.manifest.input)
    times: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for run in range(_RUNS + 1):
        request.infer([batch], share_inputs=True, share_outputs=True)
        if not run:
            continue
        for layer in request.profiling_info:
            key = (layer.node_name, layer.node_type, layer.exec_type)
            times[key].append(layer.real_time.total_seconds() * 1000)
    layers = [Layer(*key, median(found)) for key, found in times.items()]
    return sorted(layers, key=lambda layer: -layer.milliseconds)


def format_profile(layers: list[Layer], top: int = 20) -> str:
    """Write the slowest layers as lines of text, and what all of them take together."""
    total = sum(layer.milliseconds for layer in layers)
    lines = [f"{'ms':>8}  {'share':>6}  {'kind':<24} {'kernel':<28} layer"]
    lines += [
        f"{layer.milliseconds:8.2f}  {layer.milliseconds / total if total else 0:6.1%}  "
        f"{layer.kind:<24} {layer.kernel:<28} {layer.name}"
        for layer in layers[:top]
    ]
    return "\n".join([*lines, f"{total:8.2f}  all {len(layers)} layers together"])
