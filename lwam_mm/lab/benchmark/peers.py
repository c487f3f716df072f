"""MMSegmentation's lightweight networks, as its own configs describe them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmseg
from mmengine.config import Config


@dataclass(frozen=True)
class Peer:
    """A network to compare with.

    Attributes:
        title: its name in the literature.
        config: its config, relative to MMSegmentation's folder of configs.
        transformer: whether it is one, which its quantization has to know.
    """

    title: str
    config: str
    transformer: bool = False


PEERS: dict[str, Peer] = {
    "fast-scnn": Peer("Fast-SCNN", "fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py"),
    "bisenetv2": Peer("BiSeNetV2", "bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py"),
    "stdc1": Peer("STDC1", "stdc/stdc1_4xb12-80k_cityscapes-512x1024.py"),
    "pidnet-s": Peer("PIDNet-S", "pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py"),
    "ddrnet-23-slim": Peer(
        "DDRNet-23-slim", "ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py"
    ),
    "segformer-b0": Peer(
        "SegFormer-B0", "segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py", True
    ),
    "cgnet": Peer("CGNet", "cgnet/cgnet_fcn_4xb8-60k_cityscapes-512x1024.py"),
}
"""Peers by the name that the command line knows them by."""


def peer_config(name: str, num_classes: int) -> Config:
    """Load a peer's config as it is measured.

    Its pretrained weights are not fetched, it sees the whole image at once, and its auxiliary
    heads, which help in training only, are left out.

    Args:
        name: one of :data:`PEERS`.
        num_classes: classes that its head tells apart.

    Raises:
        FileNotFoundError: this MMSegmentation has no such config.
    """
    path = Path(mmseg.__file__).parent / ".mim" / "configs" / PEERS[name].config
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: this MMSegmentation came without its configs; install mmsegmentation 1.2.2"
        )
    config = Config.fromfile(path)
    for node in _nodes(config.model):
        if (node.get("init_cfg") or {}).get("type") == "Pretrained":
            node["init_cfg"] = None
    config.model.pop("auxiliary_head", None)
    config.model.pop("pretrained", None)
    config.model.decode_head.num_classes = num_classes
    config.model.test_cfg = dict(mode="whole")
    return config


def _nodes(tree: Any) -> Iterator[dict]:
    if isinstance(tree, dict):
        yield tree
        tree = tree.values()
    elif not isinstance(tree, list | tuple):
        return
    for branch in tree:
        yield from _nodes(branch)
