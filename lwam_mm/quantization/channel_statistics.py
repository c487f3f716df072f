"""What the channels of a model's results are like on images."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import onnx
from onnx import helper


def channel_statistics(
    model: onnx.ModelProto, names: Collection[str], images: Sequence[np.ndarray], pool: str
) -> dict[str, np.ndarray]:
    """Pool results of a model over each image.

    Args:
        model: A float model with one input. It is not changed.
        names: The results, of shape (1, C, H, W); inputs are results too.
        images: What the model takes.
        pool: ``"GlobalMaxPool"`` or ``"GlobalAveragePool"``.

    Returns:
        An array (images, C) by the result's name.
    """
    from onnxruntime import InferenceSession

    if not names:
        return {}
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    for place, name in enumerate(names):
        watched.graph.node.append(helper.make_node(pool, [name], [f"pooled_{place}"]))
        watched.graph.output.append(helper.make_empty_tensor_value_info(f"pooled_{place}"))
    session = InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    (feed,) = (value.name for value in session.get_inputs())
    found = [session.run(None, {feed: image}) for image in images]
    return {
        name: np.stack([values[place][0, :, 0, 0] for values in found])
        for place, name in enumerate(names)
    }
