"""What the processes of a training have to agree on."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce


def in_any_process(here: bool) -> bool:
    """Whether something holds in any process; all of them have to ask."""
    anywhere = torch.tensor(int(here))
    all_reduce(anywhere, op="max")
    return bool(anywhere)
