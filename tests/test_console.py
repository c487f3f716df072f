from __future__ import annotations

import io
import logging

import pytest

from lwam_mm.console import keep_console_concise


@pytest.fixture
def logger(tmp_path):
    made = logging.Logger("test")
    made.addHandler(logging.StreamHandler(io.StringIO()))
    made.addHandler(logging.FileHandler(tmp_path / "log"))
    keep_console_concise(made)
    keep_console_concise(made)
    return made


@pytest.mark.parametrize(
    "message",
    [
        "Config:\nmodel = dict()",
        "\n----------\nSystem environment:\n    sys.platform: linux",
        'Failed to search registry with scope "mmseg" in the "Codebases" registry tree. As',
        "DeprecationWarning: get_onnx_config will be deprecated in the future. ",
    ],
)
def test_record_keeping_goes_to_the_file_alone(logger, message, tmp_path):
    logger.warning(message)
    assert logger.handlers[0].stream.getvalue() == ""
    assert message in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    "message",
    [
        "Iter(train) [ 50/400]  lr: 3.0e-03  loss: 0.5",
        'Failed to search registry with scope "mmseg" in the "model" registry tree.',
        "the checkpoint was made for this Config:\nmodel = dict()",
    ],
)
def test_everything_else_is_shown(logger, message):
    logger.warning(message)
    assert message in logger.handlers[0].stream.getvalue()


def test_filter_is_not_doubled(logger):
    assert len(logger.handlers[0].filters) == 1
    assert not logger.handlers[1].filters
