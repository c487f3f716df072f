"""A frozen teacher as a torch graph: only what is recorded, batch norms folded, channels-last."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.nn.utils.fusion import fuse_conv_bn_weights

from lwam_mm.distill.recorded_teacher import RecordedTeacher, TeacherEngineError

_ATEN = torch.ops.aten
_CONVOLUTIONS = (_ATEN.conv2d.default, _ATEN.conv2d.padding)
_TRANSPOSED = _ATEN.conv_transpose2d.input
_NORM = _ATEN.batch_norm.default


class TorchTeacher:
    """A teacher's graph for batches of one shape, on the device where the teacher is.

    Args:
        teacher: The teacher to run; weights that folding or the layout changes are copied.
        images: An example batch, (N, 3, H, W).

    Raises:
        TeacherEngineError: Torch cannot export the teacher.
    """

    def __init__(self, teacher: RecordedTeacher, images: Tensor) -> None:
        try:
            with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
                graph = torch.export.export(teacher, (images.float(),), strict=False).module()
        except TeacherEngineError:
            raise
        except Exception as error:
            raise TeacherEngineError(
                f"torch cannot export this teacher ({error}); run it as it is "
                "(model.teacher_engine=None)"
            ) from error
        self.structure = teacher.structure
        fold_batch_norms(graph)
        _lay_out_channels_last(graph)
        self._graph = graph

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Compute what the recorders keep of a batch, under autocast if that is on."""
        with torch.no_grad():
            return list(self._graph(images.contiguous(memory_format=torch.channels_last)))


def fold_batch_norms(graph: GraphModule) -> int:
    """Fold each batch norm of an exported graph into the convolution before it.

    A convolution whose output is also used elsewhere, by a recorder for instance, is left alone.

    Args:
        graph: Module of an exported program in eval mode; changed in place. Weights that it shares
            with the exported model are not changed.

    Returns:
        The number of folded batch norms.
    """
    folded = 0
    for node in list(graph.graph.nodes):
        if node.target is not _NORM or not isinstance(node.args[0], Node):
            continue
        conv = node.args[0]
        transposed = conv.target is _TRANSPOSED
        if conv.target not in _CONVOLUTIONS and not transposed:
            continue
        gamma, beta, mean, variance = (_value(graph, argument) for argument in node.args[1:5])
        training, eps = node.args[5], node.args[7]
        # A transposed kernel's channels are ordered by group; mean is None without statistics.
        grouped = transposed and len(conv.args) > 6 and conv.args[6] != 1
        if len(conv.users) > 1 or grouped or training or mean is None:
            continue
        weight = _value(graph, conv.args[1])
        bias = _value(graph, conv.args[2]) if len(conv.args) > 2 else None
        weight, bias = fuse_conv_bn_weights(
            weight, bias, mean, variance, eps, gamma, beta, transpose=transposed
        )
        parts = dict(weight=weight.detach(), bias=bias.detach())
        for part, value in parts.items():
            graph.register_buffer(f"folded_{folded}_{part}", value)
        with graph.graph.inserting_before(conv):
            found = [graph.graph.get_attr(f"folded_{folded}_{part}") for part in parts]
        conv.args = (conv.args[0], *found, *conv.args[3:])
        node.replace_all_uses_with(conv)
        graph.graph.erase_node(node)
        folded += 1
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return folded


def _value(graph: GraphModule, argument: object) -> Tensor | None:
    if not isinstance(argument, Node) or argument.op != "get_attr":
        return None
    module, _, name = argument.target.rpartition(".")
    return getattr(graph.get_submodule(module), name)


def _lay_out_channels_last(graph: GraphModule) -> None:
    """Replace the graph's kernels by channels-last copies."""
    for index, node in enumerate(graph.graph.nodes):
        value = _value(graph, node)
        if value is None or value.dim() != 4:
            continue
        name = f"kernel_{index}"
        graph.register_buffer(name, value.detach().contiguous(memory_format=torch.channels_last))
        node.target = name
    graph.recompile()
