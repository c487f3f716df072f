"""A frozen teacher in OpenVINO, in float or in INT8."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lwam_mm.distill.recorded_teacher import RecordedTeacher, TeacherEngineError
from lwam_mm.runtime.engines.openvino_core import import_openvino, openvino_core

# How far the engine's output for the first image may be from torch's, as a share of the largest
# value: far above rounding, far below the effect of a wrong operator.
_TOLERANCE = 1e-3


class OpenVinoTeacher:
    """A teacher's graph for images of one size on OpenVINO's CPU plugin.

    Images are processed one by one: the outputs do not depend on the size of the batch, and the
    engine holds the activations of a single image.

    Args:
        teacher: The teacher to run; its weights are copied.
        images: An example batch, (N, 3, H, W), on the CPU.
        bfloat16: Compute in bfloat16 if the CPU supports it.
        calibration: Normalized images, (1, 3, H, W), to quantize the teacher to INT8 with; None
            leaves it in float.

    Raises:
        TeacherEngineError: OpenVINO (or NNCF, for INT8) is not installed, cannot run this teacher,
            or disagrees with torch.
    """

    # Dynamo cannot trace this on Python 3.13, nor would there be anything to compile.
    @torch.compiler.disable
    def __init__(
        self,
        teacher: RecordedTeacher,
        images: Tensor,
        *,
        bfloat16: bool = False,
        calibration: Sequence[Tensor] | None = None,
    ) -> None:
        openvino = _import_openvino()
        example = images[:1].float().contiguous()
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            expected = teacher(example)
            if whole := [tuple(t.shape) for t in expected if not t.dim() or len(t) != 1]:
                raise TeacherEngineError(
                    f"a teacher recorder keeps a tensor of shape {whole[0]} for one image, so a "
                    "batch cannot be processed image by image; use model.teacher_engine='torch'"
                )
            compiled = _compile(openvino, teacher, example, bfloat16, calibration)
        self.structure = teacher.structure
        self._tensor_type = openvino.Tensor
        self._request = compiled.create_infer_request()
        self._shapes = [tuple(port.shape) for port in compiled.outputs]
        if calibration is None and not bfloat16:
            self._check(example, expected)

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Compute what the recorders keep of a batch, in float32."""
        images = images.detach().float()
        # New memory for each batch, so that tensors kept from an earlier one stay as they are.
        outputs = [torch.empty(len(images), *shape[1:]) for shape in self._shapes]
        for index, image in enumerate(images):
            array = image[None].contiguous().numpy()
            self._request.set_input_tensor(self._tensor_type(array, shared_memory=True))
            for port, output in enumerate(outputs):
                slot = self._tensor_type(output[index : index + 1].numpy(), shared_memory=True)
                self._request.set_output_tensor(port, slot)
            self._request.infer()
        return outputs

    def _check(self, example: Tensor, expected: Sequence[Tensor]) -> None:
        for ours, theirs in zip(self(example), expected, strict=True):
            difference = (ours - theirs).abs().max()
            if not difference <= _TOLERANCE * theirs.abs().max().clamp_min(1):
                raise TeacherEngineError(
                    f"OpenVINO's teacher differs from torch's by {difference:.2g} on the first "
                    "image; use model.teacher_engine='torch'"
                )


def _import_openvino() -> Any:
    try:
        return import_openvino()
    except ImportError as error:
        raise TeacherEngineError(
            f"model.teacher_engine asks for OpenVINO, which cannot be imported ({error}): "
            "pip install openvino, or use model.teacher_engine='torch'"
        ) from error


def _compile(
    openvino: Any,
    teacher: RecordedTeacher,
    example: Tensor,
    bfloat16: bool,
    calibration: Sequence[Tensor] | None,
) -> Any:
    try:
        model = _convert(openvino, teacher, example)
        if calibration is not None:
            model.reshape(list(calibration[0].shape))
            model = _quantize(model, calibration)
        model.reshape(list(example.shape))
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": str(torch.get_num_threads()),
            # Its threads share the cores with those of torch.
            "ENABLE_CPU_PINNING": False,
        }
        return openvino_core().compile_model(model, "CPU", settings)
    except TeacherEngineError:
        raise
    except Exception as error:  # its type depends on the version
        raise TeacherEngineError(
            f"OpenVINO {openvino.__version__} cannot run this teacher ({error}); use "
            "model.teacher_engine='torch'"
        ) from error


def _convert(openvino: Any, teacher: RecordedTeacher, example: Tensor) -> Any:
    with warnings.catch_warnings():
        # Checks of sizes run while torch traces and are no part of the graph.
        warnings.simplefilter("ignore")
        return openvino.convert_model(teacher, example_input=example)


def _quantize(model: Any, images: Sequence[Tensor]) -> Any:
    """Quantize with the student's settings, see :mod:`lwam_mm.quantization.quantize`."""
    try:
        from lwam_mm.quantization.quantize import nncf_options
        from lwam_mm.quantization.silent_nncf import import_nncf, quiet_nncf

        nncf = import_nncf()
    except ImportError as error:
        raise TeacherEngineError(
            f"an INT8 teacher needs NNCF ({error}): pip install 'lwam-mm[deploy]', or use "
            "model.teacher_engine='openvino'"
        ) from error
    with quiet_nncf():
        data = nncf.Dataset([image.numpy() for image in images])
        return nncf.quantize(model, data, **nncf_options(len(images)))
