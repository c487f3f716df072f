"""The process that runs one task of the benchmark: it loads a model once and calls it on request.

``python -m lwam_mm.lab.benchmark.worker`` reads one line of JSON per request: first the task, then
``"run"`` for each further call. It answers each request with one line of JSON. The runtime's tasks
must stay free of torch, so each task imports what it needs when it is loaded.
"""

from __future__ import annotations

import contextlib
import json
import os
import pkgutil
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

Call = Callable[[], object]
Task = Mapping[str, Any]
"""``function``, as ``"module:name"``, and its arguments. The function loads what is to be measured
and returns the function to time."""

_PAUSE_SECONDS = 0.005
_LONGEST_SETTLING_SECONDS = 2.0
_LONGEST_DESCRIPTION = 300


def torch_inference(
    config: str, checkpoint: str, picture: str, threads: int, folded: bool, channels_last: bool
) -> Call:
    """Load a segmentor in torch: normalised image (1, 3, H, W) to logits (1, C, H, W)."""
    import torch

    import lwam_mm.plugin  # noqa: F401  registers our models
    from lwam_mm.lab.benchmark.models import build, image_for, logits

    torch.set_num_threads(threads)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = build(config, checkpoint, folded=folded).to(memory_format=layout)
    image = image_for(model, picture).to(memory_format=layout)
    return torch.inference_mode()(lambda: logits(model, image))


def bundle_inference(bundle: str, picture: str, threads: int) -> Call:
    """Load a bundle for inference alone: from the engine's input to its outputs."""
    from lwam_mm.runtime import read_bundle, read_image
    from lwam_mm.runtime.engines.load_engine import load_engine
    from lwam_mm.runtime.pre_and_postprocessing import to_batch

    model = read_bundle(bundle)
    engine = load_engine(model, threads)
    batch = to_batch(read_image(picture), model.manifest.input)
    return lambda: engine(batch)


def file_to_map(bundle: str, picture: str, threads: int) -> Call:
    """Load a bundle for everything that happens at the machine: image file to class map."""
    from lwam_mm.runtime import Predictor

    predictor = Predictor(bundle, threads)
    return lambda: predictor(picture)


def torch_products(rows: int, side: int, depth: int, threads: int) -> Call:
    """Load a chain of float32 matrix products in torch."""
    import torch

    torch.set_num_threads(threads)
    matrix, weights = torch.randn(rows, side), torch.randn(side, side) / side**0.5

    @torch.inference_mode()
    def call() -> object:
        value = matrix
        for _ in range(depth):
            value = torch.mm(value, weights)
        return value

    return call


def memory_copy(size: int, threads: int) -> Call:
    """Load a copy of ``size`` bytes from one place to another."""
    import torch

    torch.set_num_threads(threads)
    source, target = torch.ones(size // 4), torch.empty(size // 4)
    return lambda: target.copy_(source)


def onnxruntime_products(model: str, threads: int) -> Call:
    """Load the products of an ONNX file in ONNX Runtime."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    matrix = np.random.default_rng(0).standard_normal(port.shape, np.float32)
    return lambda: session.run(None, {port.name: matrix})


def openvino_products(model: str, threads: int) -> Call:
    """Load the products of an ONNX file in OpenVINO."""
    import numpy as np

    compiled = compile_for_latency(model, threads)
    request = compiled.create_infer_request()
    shape = tuple(compiled.inputs[0].shape)
    matrix = np.random.default_rng(0).standard_normal(shape, np.float32)
    return lambda: request.infer([matrix], share_inputs=True, share_outputs=True)


def compile_for_latency(model: str | Path, threads: int, **settings: str) -> Any:
    """Compile a model in OpenVINO for one image at a time, in float32 where not quantized."""
    from lwam_mm.runtime.engines.openvino_core import openvino_core

    settings |= {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(threads),
    }
    return openvino_core().compile_model(model, "CPU", settings)


def load(task: Task) -> Call:
    """Load a task and return the function to time."""
    arguments = dict(task)
    return pkgutil.resolve_name(arguments.pop("function"))(**arguments)


def peak_memory() -> float | None:
    """Return the most memory that this process ever held, in MB (10^6 bytes); None if unknown.

    Linux's ``VmHWM`` is used because ``getrusage`` includes what the parent held at the fork.
    """
    status = Path("/proc/self/status")
    found = status.is_file() and re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    return int(found[1]) * 1024 / 1e6 if found else None


def settle() -> None:
    """Wait until the threads of this process sleep, two seconds at most.

    Thread pools keep spinning after their work, some for a fifth of a second, and would slow down
    the next candidate.
    """
    deadline = time.monotonic() + _LONGEST_SETTLING_SECONDS
    while time.monotonic() < deadline:
        before = time.process_time()
        time.sleep(_PAUSE_SECONDS)
        if time.process_time() - before < _PAUSE_SECONDS / 10 and not _is_waiting_for_processor():
            return


def _is_waiting_for_processor() -> bool:
    """Whether Linux calls another thread runnable: on a busy machine it may not run for a while."""
    for status in Path("/proc/self/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # the thread has just ended
            state = status.read_text().rpartition(")")[2].split()[0]
            if state == "R" and int(status.parent.name) != threading.get_native_id():
                return True
    return False


def describe_error(error: Exception) -> str:
    """Return an error's type and message on one line of at most some 300 characters.

    For an error without a message, the line that raised it stands in.
    """
    text = " ".join(str(error).split())
    if not text:
        frames = traceback.extract_tb(error.__traceback__)
        text = f"in {Path(frames[-1].filename).name}: {frames[-1].line}" if frames else "no message"
    if len(text) > _LONGEST_DESCRIPTION:
        text = f"{text[: _LONGEST_DESCRIPTION - 3]}..."
    return f"{type(error).__name__}: {text}"


def serve(requests: TextIO, answers: TextIO) -> None:
    """Load a task and call it once per request, until there are no more requests.

    Args:
        requests: Lines of JSON: the task, then ``"run"`` each.
        answers: Receives one line of JSON per request: ``ms``, the duration of the call; ``busy``,
            its processor time, in milliseconds too; ``load``, what loading took before it;
            ``peak``, see :func:`peak_memory`; and ``result``, what the call returned if that is a
            number or a dict. A failure is answered by ``error``, a sentence, and ends the service.
    """
    call = None
    for line in requests:
        try:
            start = time.perf_counter()
            if call is None:
                call = load(json.loads(line))
            loaded, computed = time.perf_counter(), time.process_time()
            result = call()
            done, busy = time.perf_counter(), time.process_time() - computed
        except Exception as error:
            print(json.dumps(dict(error=describe_error(error))), file=answers, flush=True)
            return
        settle()
        answer = dict(
            ms=1000 * (done - loaded),
            busy=1000 * busy,
            load=1000 * (loaded - start),
            peak=peak_memory(),
            result=result if isinstance(result, dict | float) else None,
        )
        print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """Serve on the standard streams; what libraries print there goes to stderr instead."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
