"""The teacher as a function: images in, all that the distiller's recorders keep out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

from mmrazor.models.task_modules.recorder import ParameterRecorder, RecorderManager
from mmrazor.models.task_modules.recorder.base_recorder import BaseRecorder
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from lwam_mm.utils.errors import UserError


class TeacherEngineError(UserError, RuntimeError):
    """An engine cannot run this teacher, or not for these recorders."""


class RecordedTeacher(nn.Module):
    """Runs a teacher and returns what its recorders keep, as a flat tuple of tensors.

    That is what an engine makes its graph of. What no recorder asks for, such as classifiers for
    deep supervision whose output is not recorded, is then no part of the graph. Recorders of
    every kind work, since they are what runs: of outputs or inputs of modules, of functions and
    methods. Those of parameters need no forward pass and are left alone.

    Args:
        teacher: the teacher, in eval mode; not copied.
        recorders: the distiller's recorders, initialised on ``teacher``.

    """

    def __init__(self, teacher: nn.Module, recorders: RecorderManager) -> None:
        super().__init__()
        self.teacher = teacher
        self._recorders = recorders
        # In a namespace: torch.export puts a module's own attributes back as they were.
        self._latest = SimpleNamespace(structure=None)

    @property
    def structure(self) -> pytree.TreeSpec:
        """How the tensors of the latest forward pass belong to the recorders."""
        return self._latest.structure

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Run the teacher on images (N, 3, H, W).

        Raises:
            TeacherEngineError: a recorder keeps something that is no tensor.
        """
        with self._recorders:
            self.teacher(images, mode="tensor")
        running = _running(self._recorders)
        kept = {name: list(recorder.data_buffer) for name, recorder in running.items()}
        tensors, self._latest.structure = pytree.tree_flatten(kept)
        for name, values in kept.items():
            for value in pytree.tree_leaves(values):
                if not isinstance(value, Tensor):
                    raise TeacherEngineError(
                        f"teacher_recorders.{name} keeps a {type(value).__name__}, but an engine "
                        "gives tensors only; record another source, or run the teacher as it is "
                        "(model.teacher_engine=None)"
                    )
        for recorder in running.values():
            recorder.reset_data_buffer()
        return tuple(tensors)


def hand_over(
    recorders: RecorderManager, structure: pytree.TreeSpec, tensors: Sequence[Tensor]
) -> None:
    """Give recorders what an engine computed, as if the teacher had just run.

    Args:
        recorders: the distiller's recorders.
        structure: that of the :class:`RecordedTeacher` which the engine was made of.
        tensors: what its forward returns.
    """
    kept: Mapping[str, list] = pytree.tree_unflatten(list(tensors), structure)
    running = _running(recorders)
    for name, values in kept.items():
        running[name].reset_data_buffer()
        running[name].data_buffer.extend(values)


def _running(recorders: RecorderManager) -> dict[str, BaseRecorder]:
    return {
        name: recorder
        for name, recorder in recorders.recorders.items()
        if not isinstance(recorder, ParameterRecorder)
    }
