"""INT8 models for ncnn: what NNCF found for ONNX, written into ncnn's own files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from lwam_mm.deploy.backends.errors import BackendError
from lwam_mm.utils.onnx_graphs import (
    attributes,
    copy_model,
    initial_values,
    producers,
    remove_unread,
)

_FLOAT32 = (0).to_bytes(4, "little")
_INT8 = (0x000D4B38).to_bytes(4, "little")
# Keys of a convolution in a .param file, and what the last one says: there are scales for kernel
# and input, or one for the output too.
_OUTPUTS, _BIAS, _WEIGHTS, _SCALES = "0", "5", "6", "8"
_INPUT_SCALE, _OUTPUT_SCALE = "1", "101"
_LARGEST = 127  # ncnn's 8 bits are signed and symmetric


@dataclass(frozen=True, eq=False)
class QuantizedConvolution:
    """A convolution of an INT8 ONNX model, as ncnn wants it.

    Attributes:
        kernel: int8, (O, I, h, w).
        scales: Real value of a step of the kernel, (O,), of each output.
        largest: The largest absolute input that the 8 bits cover.
    """

    kernel: np.ndarray
    scales: np.ndarray
    largest: float

    @property
    def real_kernel(self) -> np.ndarray:
        """The kernel in float32, (O, I, h, w)."""
        return self.kernel * self.scales.reshape(-1, 1, 1, 1)


def is_quantized(model: onnx.ModelProto) -> bool:
    """Whether a model has QuantizeLinear nodes."""
    return any(node.op_type == "QuantizeLinear" for node in model.graph.node)


def take_out_quantizers(
    model: onnx.ModelProto,
) -> tuple[onnx.ModelProto, list[QuantizedConvolution]]:
    """Return a quantized model in float, and its INT8 convolutions.

    Args:
        model: A model with QuantizeLinear and DequantizeLinear nodes. It is not changed.

    Returns:
        The model without these nodes, its kernels as 8 bits represent them; and its convolutions
        whose input and kernel are both quantized, depthwise ones left out.
    """
    model = copy_model(model)
    graph = model.graph
    values = initial_values(graph)
    convolutions = _quantized_convolutions(graph, values)
    source: dict[str, str] = {}  # what a quantized result was quantized from
    for node in list(graph.node):
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            node.input[:] = [source.get(name, name) for name in node.input]
            continue
        graph.node.remove(node)
        if node.input[0] in values:
            real = _dequantized(node, values)
            graph.initializer.append(numpy_helper.from_array(real, node.output[0]))
        else:
            source[node.output[0]] = source.get(node.input[0], node.input[0])
    remove_unread(graph)
    onnx.checker.check_model(model, full_check=True)
    return model, convolutions


def _quantized_convolutions(
    graph: onnx.GraphProto, values: Mapping[str, np.ndarray]
) -> list[QuantizedConvolution]:
    made_by = producers(graph)
    found = []
    for node in graph.node:
        if node.op_type != "Conv" or attributes(node).get("group", 1) != 1:
            continue
        feed, weights = (made_by.get(name) for name in node.input[:2])
        if any(n is None or n.op_type != "DequantizeLinear" for n in (feed, weights)):
            continue
        kernel, scales = values[weights.input[0]], values[weights.input[1]]
        steps = np.iinfo(values[feed.input[2]].dtype).max  # the zero point has the type
        found.append(
            QuantizedConvolution(
                kernel=kernel,
                scales=np.broadcast_to(scales, kernel.shape[:1]),
                largest=float(values[feed.input[1]].item() * steps),
            )
        )
    return found


def _dequantized(node: onnx.NodeProto, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return what a DequantizeLinear makes of a kernel, in float32."""
    kernel, scales = (values[name] for name in node.input[:2])
    if scales.ndim:
        shape = [1] * kernel.ndim
        shape[attributes(node).get("axis", 1)] = -1
        scales = scales.reshape(shape)
    return (kernel * scales).astype(np.float32)


def write_int8(param: Path, weights: Path, convolutions: Sequence[QuantizedConvolution]) -> None:
    """Turn convolutions of a float model of ncnn into 8 bits, in place.

    A convolution that hands its result to a single other in 8 bits hands it over in 8 bits.

    Args:
        param: The network, as pnnx writes it.
        weights: Its weights, in float32.
        convolutions: Which ones; ``weights`` has their ``real_kernel``.

    Raises:
        BackendError: One of them is not in the model, or other layers have weights.
    """
    lines = param.read_text().splitlines()
    layers = [_Layer(line) for line in lines[2:]]  # after a magic number and the counts
    found = _convolutions(layers, weights.read_bytes())
    left = list(convolutions)
    chosen = {}
    for layer, (kernel, _) in found.items():
        same = (n for n, one in enumerate(left) if np.array_equal(one.real_kernel.ravel(), kernel))
        if (place := next(same, None)) is not None:
            chosen[layer] = left.pop(place)
    if left:
        raise BackendError(
            f"{len(left)} of {len(convolutions)} INT8 convolutions are not in the model that pnnx "
            "made of them; lwam_mm needs another release of pnnx"
        )
    parts = []
    for layer, (kernel, bias) in found.items():
        if layer not in chosen:
            parts += [_FLOAT32, kernel.tobytes(), bias.tobytes()]
            continue
        own = chosen[layer]
        data = own.kernel.astype(np.int8).tobytes()
        scales = [*(1 / own.scales), _LARGEST / own.largest]
        readers = [other for other in layers if set(layer.tops) & set(other.bottoms)]
        layer.values[_SCALES] = _INPUT_SCALE
        if len(readers) == 1 and readers[0] in chosen:
            layer.values[_SCALES] = _OUTPUT_SCALE
            scales.append(_LARGEST / chosen[readers[0]].largest)
        padding = bytes(-len(data) % 4)
        parts += [_INT8, data, padding, bias.tobytes(), np.array(scales, "<f4").tobytes()]
    weights.write_bytes(b"".join(parts))
    param.write_text("\n".join([*lines[:2], *map(str, layers)]) + "\n")


class _Layer:
    """A line of a .param file: type, name, blobs and values by their keys."""

    def __init__(self, line: str) -> None:
        self.type, self.name, bottoms, tops, *rest = line.split()
        self.bottoms = rest[: int(bottoms)]
        self.tops = rest[int(bottoms) : int(bottoms) + int(tops)]
        self.values = dict(entry.split("=", 1) for entry in rest[int(bottoms) + int(tops) :])

    def __str__(self) -> str:
        counts = str(len(self.bottoms)), str(len(self.tops))
        values = (f"{key}={value}" for key, value in self.values.items())
        return " ".join([self.type, self.name, *counts, *self.bottoms, *self.tops, *values])


def _convolutions(
    layers: Sequence[_Layer], data: bytes
) -> dict[_Layer, tuple[np.ndarray, np.ndarray]]:
    """Return kernel and bias of each convolution, transposed ones included.

    Only these may have weights: the file does not say where those of a layer end.
    """
    found = {}
    position = 0

    def take(count: int) -> np.ndarray:
        nonlocal position
        values = np.frombuffer(data[position : position + 4 * count], "<f4")
        position += 4 * count
        return values

    for layer in layers:
        if not layer.type.startswith(("Convolution", "Deconvolution")):
            continue
        if take(1).tobytes() != _FLOAT32:
            break
        kernel = take(int(layer.values[_WEIGHTS]))
        has_bias = layer.values.get(_BIAS) == "1"
        found[layer] = kernel, take(int(layer.values[_OUTPUTS]) if has_bias else 0)
    if position != len(data):
        raise BackendError(
            "INT8 in ncnn is for nets in which only convolutions have weights, as SpreadNet and "
            "LWRNet; leave --int8 out"
        )
    return found
