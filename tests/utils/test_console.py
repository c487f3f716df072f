from __future__ import annotations

import io
import logging

import pytest

from lwam_mm.utils.console import ProgressLine, keep_console_concise


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


def test_progress_is_short_on_the_console_and_full_in_the_file(logger, tmp_path):
    for handler in logger.handlers:
        handler.setLevel(logging.INFO)
    logger.info(ProgressLine("Epoch(train) [1][2/4]  lr: 1.0000e-09", "epoch 1/3  2/4"))
    assert logger.handlers[0].stream.getvalue() == "epoch 1/3  2/4\n"
    assert (tmp_path / "log").read_text() == "Epoch(train) [1][2/4]  lr: 1.0000e-09\n"


def test_format_of_everything_else_is_kept():
    made, stream = logging.Logger("test"), io.StringIO()
    made.addHandler(logging.StreamHandler(stream))
    made.handlers[0].setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    keep_console_concise(made)
    keep_console_concise(made)
    made.warning("disk is %s", "full")
    made.warning(ProgressLine("long", "short"))
    assert stream.getvalue() == "WARNING: disk is full\nshort\n"


def test_filter_is_not_doubled(logger):
    assert len(logger.handlers[0].filters) == 1
    assert not logger.handlers[1].filters
