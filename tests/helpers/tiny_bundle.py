"""Tiny bundles whose class maps are known by hand: logit c is channel c (RGB) of the input."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lwam_mm.runtime import InputSpec, Manifest, OutputSpec, write_bundle

MEAN = (100.0, 50.0, 0.0)
STD = (10.0, 20.0, 40.0)


def save_model(
    path: Path,
    shape,
    *,
    weight=None,
    scale=1.0,
    nodes=None,
    out_shape=None,
    in_type=TensorProto.FLOAT,
    out_type=TensorProto.FLOAT,
    labels=None,
) -> Path:
    """Save a convolution (by default 1x1, the identity) times `scale`, or else the given nodes.

    `labels`: a second output of that name and type (True: uint8), which the nodes have to make.
    """
    weight = np.eye(3, dtype=np.float32)[:, :, None, None] if weight is None else weight
    constants = []
    if nodes is None:
        pads = [weight.shape[2] // 2] * 4
        constants.append(numpy_helper.from_array(weight, "weight"))
        constants.append(numpy_helper.from_array(np.float32(scale), "scale"))
        nodes = [
            helper.make_node("Conv", ["image", "weight"], ["conv"], pads=pads),
            helper.make_node("Mul", ["conv", "scale"], ["logits"]),
        ]
    if out_shape is None:
        out_shape = [shape[0], weight.shape[0], *shape[2:]]
    outputs = [helper.make_tensor_value_info("logits", out_type, out_shape)]
    if labels is not None:
        label_type = TensorProto.UINT8 if labels is True else labels
        outputs.append(helper.make_tensor_value_info("labels", label_type, [shape[0], *shape[2:]]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", in_type, shape)],
        outputs,
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def tiny_manifest(size=None, **changes) -> Manifest:
    manifest = Manifest(
        classes=("Background", "Super", "Incomplete"),
        palette=((0, 0, 0), (255, 0, 255), (255, 0, 0)),
        engine="onnxruntime",
        precision="float32",
        model="model.onnx",
        input=InputSpec("image", size, MEAN, STD, resize="pad" if size is None else "stretch"),
        output=OutputSpec("logits"),
        provenance={"config": "tiny.py"},
        figures={"miou": 81.5},
    )
    return dataclasses.replace(manifest, **changes)


def write_tiny_bundle(
    folder: Path, size=None, *, name="bundle", shape=None, manifest=None, **model
) -> Path:
    """Write the bundle of a tiny model into a folder and return the bundle's own folder."""
    if shape is None:
        shape = [1, 3, "height", "width"] if size is None else [1, 3, *size]
    source = save_model(folder / f"{name}.onnx", shape, **model)
    manifest = tiny_manifest(size) if manifest is None else manifest
    return write_bundle(folder / name, manifest, {"model.onnx": source}).root


def draw_picture(height, width, seed=0) -> np.ndarray:
    """Return a smooth random picture, uint8 (H, W, 3), BGR."""
    small = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
