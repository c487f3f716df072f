"""The teacher as a function from images to what the distiller's recorders keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

from mmrazor.models.task_modules.recorder import ParameterRecorder, RecorderManager
from mmrazor.models.task_modules.recorder.base_recorder import BaseRecorder
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from lwam_mm.utils.errors import UserError


class TeacherEngineError(UserError, RuntimeError):
    """An engine cannot run this teacher, or cannot serve its recorders."""


class RecordedTeacher(nn.Module):
    """Runs a teacher and returns what its recorders keep, as a flat tuple of tensors.

    Engines export this module, so that their graph has only what a recorder needs and not, for
    example, classifiers of deep supervision whose outputs nobody records. The recorders themselves
    run, so all kinds work: of inputs or outputs of modules, of functions and methods. Recorders of
    parameters need no forward pass and are left out.

    Args:
        teacher: The teacher, in eval mode; not copied.
        recorders: The distiller's recorders, initialized on ``teacher``.
    """

    def __init__(self, teacher: nn.Module, recorders: RecorderManager) -> None:
        super().__init__()
        self.teacher = teacher
        self._recorders = recorders
        # In a namespace, because torch.export restores the module's own attributes.
        self._latest = SimpleNamespace(structure=None)

    @property
    def structure(self) -> pytree.TreeSpec:
        """Which recorder each tensor of the latest forward pass belongs to."""
        return self._latest.structure

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Run the teacher on images, (N, 3, H, W).

        Raises:
            TeacherEngineError: A recorder keeps something that is no tensor.
        """
        with self._recorders:
            self.teacher(images, mode="tensor")
        running = _running(self._recorders)
        kept = {name: list(recorder.data_buffer) for name, recorder in running.items()}
        for name, values in kept.items():
            running[name].reset_data_buffer()
            others = [v for v in pytree.tree_leaves(values) if not isinstance(v, Tensor)]
            if others:
                raise TeacherEngineError(
                    f"teacher_recorders.{name} keeps a {type(others[0]).__name__}, but an engine "
                    "returns tensors only; record another source, or run the teacher as it is "
                    "(model.teacher_engine=None)"
                )
        tensors, self._latest.structure = pytree.tree_flatten(kept)
        return tuple(tensors)


def fill_recorders(
    recorders: RecorderManager, structure: pytree.TreeSpec, tensors: Sequence[Tensor]
) -> None:
    """Store what an engine computed in the recorders, as if the teacher had just run.

    Args:
        recorders: The distiller's recorders.
        structure: That of the :class:`RecordedTeacher` from which the engine was built.
        tensors: The output of the engine.
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
