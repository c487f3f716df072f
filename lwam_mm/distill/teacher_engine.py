"""Choice of the engine that runs a frozen teacher."""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from mmrazor.models.task_modules.recorder import RecorderManager
from torch import Tensor, nn

from lwam_mm.distill.openvino_teacher import OpenVinoTeacher
from lwam_mm.distill.recorded_teacher import RecordedTeacher, TeacherEngineError, fill_recorders
from lwam_mm.distill.torch_teacher import TorchTeacher
from lwam_mm.utils.malloc import give_freed_memory_back

ENGINES = (None, "auto", "torch", "openvino", "openvino-int8")
"""Names of the engines."""

_KEPT_SIZES = 4


class TeacherEngine:
    """Runs a frozen teacher, with one graph for each batch size, built when the size first occurs.

    ========================= ===================================================================
    ``None``                  The teacher's modules as they are.
    ``"torch"``               Its graph in torch: channels-last, batch norms folded, only what is
                              recorded; under autocast if the student is.
    ``"openvino"``            Its graph in OpenVINO, on CPUs; float32, under autocast bfloat16.
    ``"openvino-int8"``       The same in INT8, calibrated on images of the training set.
    ``"auto"``                ``"openvino"`` on x86 CPUs where it is installed, otherwise
                              ``"torch"``; ``None`` if the engine cannot run this teacher.
    ========================= ===================================================================

    Copies and pickles have no graphs and build their own. If the teacher's weights change or move
    to another device, the graphs are built again.

    Args:
        name: One of :data:`ENGINES`.
        teacher: The teacher, in eval mode.
        recorders: The distiller's recorders, initialized on ``teacher``.

    Attributes:
        calibration: Images, (1, 3, H, W), normalized for the student, for ``"openvino-int8"``;
            None until :class:`~lwam_mm.distill.calibrate_teacher_hook.CalibrateTeacherHook` sets
            them.

    Raises:
        ValueError: There is no such engine.
    """

    def __init__(self, name: str | None, teacher: nn.Module, recorders: RecorderManager) -> None:
        if name not in ENGINES:
            raise ValueError(f"teacher_engine={name!r}: use one of {ENGINES}")
        self.name = name
        self.calibration: Sequence[Tensor] | None = None
        self._teacher, self._recorders = teacher, recorders
        self._graphs: dict[tuple, OpenVinoTeacher | TorchTeacher] = {}
        self._weights: tuple = ()

    @property
    def wants_calibration(self) -> bool:
        """Whether :attr:`calibration` is needed and missing."""
        return self.name == "openvino-int8" and self.calibration is None

    def run(self, images: Tensor) -> None:
        """Run the teacher on images, (N, 3, H, W), and fill the recorders.

        Raises:
            TeacherEngineError: The engine is not installed, cannot run this teacher or serve its
                recorders, does not support this device, or is not calibrated.
        """
        engine = self._engine_for(images.device)
        graph = None if engine is None else self._graph(engine, images)
        if graph is None:
            with self._recorders, torch.no_grad():
                self._teacher(images, mode="tensor")
            return
        tensors = graph(images)
        with self._recorders:
            fill_recorders(self._recorders, graph.structure, tensors)

    def _engine_for(self, device: torch.device) -> str | None:
        if self.name == "auto":
            quick = device.type == "cpu" and platform.machine().lower() in ("x86_64", "amd64")
            return "openvino" if quick and importlib.util.find_spec("openvino") else "torch"
        if self.name in ("openvino", "openvino-int8") and device.type != "cpu":
            raise TeacherEngineError(
                f"model.teacher_engine={self.name!r} is for processors, but the training is on "
                f"{device}: use 'auto' or 'torch'"
            )
        if self.wants_calibration:
            raise TeacherEngineError(
                "model.teacher_engine='openvino-int8' needs images to calibrate on: add "
                "dict(type='CalibrateTeacherHook') to custom_hooks"
            )
        return self.name

    def _graph(self, engine: str, images: Tensor) -> OpenVinoTeacher | TorchTeacher | None:
        weights = tuple(
            (tensor.data_ptr(), tensor._version)
            for tensor in (*self._teacher.parameters(), *self._teacher.buffers())
        )
        if weights != self._weights:
            self._graphs.clear()
            self._weights = weights
        autocast = torch.is_autocast_enabled(images.device.type)
        shape = images.shape if engine == "torch" else images.shape[1:]
        key = (images.device, tuple(shape), autocast)
        if key in self._graphs:
            return self._graphs[key]
        try:
            graph = self._make(engine, images, autocast)
            give_freed_memory_back()
        except TeacherEngineError as error:
            if self.name != "auto":
                raise
            print_log(f"The teacher runs without an engine: {error}", "current", level=30)
            self.name = None
            return None
        if len(self._graphs) == _KEPT_SIZES:
            del self._graphs[next(iter(self._graphs))]
        self._graphs[key] = graph
        return graph

    def _make(self, engine: str, images: Tensor, autocast: bool) -> OpenVinoTeacher | TorchTeacher:
        recorded = RecordedTeacher(self._teacher, self._recorders).eval()
        if engine == "torch":
            return TorchTeacher(recorded, images)
        calibration = self.calibration if engine == "openvino-int8" else None
        return OpenVinoTeacher(recorded, images, bfloat16=autocast, calibration=calibration)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | dict(_graphs={}, _weights=())
