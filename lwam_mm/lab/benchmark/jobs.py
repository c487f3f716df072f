"""What a worker can be asked to measure; every import waits until a job needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Call = Callable[[], object]


def torch_model(
    config: str, checkpoint: str, picture: str, threads: int, folded: bool, channels_last: bool
) -> Call:
    """Prepare a segmentor in torch: normalised image (1, 3, H, W) to logits (1, C, H, W).

    Args:
        config: a segmentor's config file.
        checkpoint: its weights.
        picture: an image file of the size to measure at.
        threads: torch's threads within an operator.
        folded: fold its blocks first.
        channels_last: lay out weights and image channels-last.
    """
    import torch

    import lwam_mm.plugin  # noqa: F401  registers our models
    from lwam_mm.lab.benchmark.models import build, image_for, logits

    torch.set_num_threads(threads)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = build(config, checkpoint, folded=folded).to(memory_format=layout)
    image = image_for(model, picture).to(memory_format=layout)

    def call() -> object:
        with torch.inference_mode():
            return logits(model, image)

    return call


def bundle_inference(bundle: str, picture: str, threads: int) -> Call:
    """Prepare a bundle's bare inference: the engine with its input at hand, to its outputs."""
    from lwam_mm.runtime import read_bundle, read_image
    from lwam_mm.runtime.engines.load_engine import load_engine
    from lwam_mm.runtime.pre_and_postprocessing import to_batch

    model = read_bundle(bundle)
    engine = load_engine(model, threads)
    batch = to_batch(read_image(picture), model.manifest.input)
    return lambda: engine(batch)


def file_to_map(bundle: str, picture: str, threads: int) -> Call:
    """Prepare all that is done beside the machine: image file to class map."""
    from lwam_mm.runtime import Predictor

    predictor = Predictor(bundle, threads)
    return lambda: predictor(picture)


def torch_products(rows: int, side: int, depth: int, threads: int) -> Call:
    """Prepare a chain of matrix products in torch, float32."""
    import torch

    torch.set_num_threads(threads)
    matrix, weights = torch.randn(rows, side), torch.randn(side, side) / side**0.5

    def call() -> object:
        found = matrix
        with torch.inference_mode():
            for _ in range(depth):
                found = torch.mm(found, weights)
        return found

    return call


def onnxruntime_products(model: str, threads: int) -> Call:
    """Prepare the chain of matrix products of an ONNX file in ONNX Runtime."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    matrix = np.random.default_rng(0).standard_normal(port.shape, np.float32)
    return lambda: session.run(None, {port.name: matrix})


def openvino_products(model: str, threads: int) -> Call:
    """Prepare the chain of matrix products of an ONNX file in OpenVINO."""
    import numpy as np

    from lwam_mm.runtime.engines.openvino_core import openvino_core

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(threads),
    }
    compiled = openvino_core().compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    shape = tuple(compiled.inputs[0].shape)
    matrix = np.random.default_rng(0).standard_normal(shape, np.float32)
    return lambda: request.infer([matrix], share_inputs=True, share_outputs=True)


def distillation_step(**arguments: Any) -> Call:
    """Prepare a step of a distillation; see ``distillation_job.step``."""
    from lwam_mm.lab.benchmark.distillation_job import step

    return step(**arguments)


def distillation_step_to_follow(**arguments: Any) -> Call:
    """See :func:`~lwam_mm.lab.benchmark.distillation_job.step_to_follow`."""
    from lwam_mm.lab.benchmark.distillation_job import step_to_follow

    return step_to_follow(**arguments)


def distillation_losses(**arguments: Any) -> Call:
    """Prepare losses; see :func:`~lwam_mm.lab.benchmark.distillation_job.losses_from`."""
    from lwam_mm.lab.benchmark.distillation_job import losses_from

    return losses_from(**arguments)


def distillation_data(**arguments: Any) -> Call:
    """Prepare steps in a row; see ``distillation_job.steps_with_data``."""
    from lwam_mm.lab.benchmark.distillation_job import steps_with_data

    return steps_with_data(**arguments)


JOBS: dict[str, Callable[..., Call]] = {
    job.__name__: job
    for job in (
        torch_model,
        bundle_inference,
        file_to_map,
        torch_products,
        onnxruntime_products,
        openvino_products,
        distillation_step,
        distillation_step_to_follow,
        distillation_losses,
        distillation_data,
    )
}


def prepare(job: dict[str, Any]) -> Call:
    """Load what a job measures.

    Args:
        job: ``name``, one of :data:`JOBS`, and its arguments.

    Returns:
        The function to time.
    """
    arguments = dict(job)
    return JOBS[arguments.pop("name")](**arguments)
