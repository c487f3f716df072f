"""What tests of repairs share: processes where nothing is repaired, message hubs."""

from __future__ import annotations

import itertools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from fresh_process import call_from_file

HUBS = (f"compat_{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def in_fresh_process():
    """Function that calls another one in a process where nothing is repaired."""
    context = multiprocessing.get_context("forkserver")
    slow = ["torch.onnx", "scipy.optimize", "scipy.stats", "sklearn.tree", "mmengine.runner"]
    context.set_forkserver_preload([*slow, "mmseg"])

    def call(function, *args):
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            file = function.__code__.co_filename
            return pool.submit(call_from_file, file, function.__name__, args).result()

    return call


@pytest.fixture
def lite_mmcv():
    """Skip where mmcv is compiled, as these repairs then have nothing to do."""
    import mmcv

    if list(Path(mmcv.__file__).parent.glob("_ext*")):
        pytest.skip("mmcv is compiled here")


# mmcv


@pytest.fixture
def hub():
    from mmengine.logging import MessageHub

    return MessageHub.get_instance(next(HUBS))


@pytest.fixture
def new_hub():
    from mmengine.logging import MessageHub

    return lambda: MessageHub.get_instance(next(HUBS))
