"""The blocks that a config can name."""

from __future__ import annotations

from lwam_mm.models.reparam.fold import FoldableConv
from lwam_mm.models.reparam.qa_rep_conv import QARepConv
from lwam_mm.models.reparam.rep_conv import RepConv

_BLOCKS: dict[str, type[FoldableConv]] = {block.__name__: block for block in (RepConv, QARepConv)}


def block_type(name: str) -> type[FoldableConv]:
    """Return the block with a name.

    Raises:
        ValueError: There is no such block.
    """
    if name not in _BLOCKS:
        raise ValueError(f"block={name!r}: no such block; use one of {list(_BLOCKS)}")
    return _BLOCKS[name]
