from __future__ import annotations

import pytest

from lwam_mm.models import QARepConv, RepConv
from lwam_mm.models.reparam.build_block import block_type


def test_blocks_have_names():
    assert block_type("RepConv") is RepConv
    assert block_type("QARepConv") is QARepConv


@pytest.mark.parametrize("name", ["repconv", "Conv2d", ""])
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match=f"block={name!r}.*'RepConv', 'QARepConv'"):
        block_type(name)
