from __future__ import annotations

import pytest
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import nn

from lwam_mm.models.output_classes import (
    OutputClassesError,
    check_output_classes,
    refuse_single_logit,
)

BINARY = dict(
    num_classes=2,
    out_channels=1,
    threshold=0.3,
    loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=True),
)
FCN = dict(type="FCNHead", in_channels=64, channels=8, num_classes=6, norm_cfg=dict(type="BN"))


@pytest.fixture
def stock_model():
    """Function that builds our encoder with MMSegmentation's heads."""

    def build(segmentor="EncoderDecoder", head=None, auxiliary=None):
        init_default_scope("mmseg")
        model = dict(
            type=segmentor,
            backbone=dict(type="LWRNet", base_channels=8),
            decode_head=FCN | (head or {}),
            auxiliary_head=auxiliary,
        )
        return MODELS.build(model)

    return build


@pytest.mark.parametrize("network", ["student", "teacher"])
@pytest.mark.parametrize("segmentor", ["EncoderDecoder", "FoldableEncoderDecoder"])
def test_binary_head_of_ours_is_refused_when_built(build_segmentor, network, segmentor):
    with pytest.raises(OutputClassesError, match=r"out_channels=1.*num_classes=2"):
        build_segmentor(network, segmentor, head=BINARY)


def test_stock_binary_head_is_refused_in_our_segmentor(stock_model):
    with pytest.raises(OutputClassesError, match=r"decode_head: out_channels=1"):
        stock_model("FoldableEncoderDecoder", BINARY)
    model = stock_model("EncoderDecoder", BINARY)  # MMSegmentation's own segmentor builds it
    with pytest.raises(OutputClassesError, match=r"^decode_head: out_channels=1"):
        refuse_single_logit(model)
    with pytest.raises(OutputClassesError, match=r"^architecture\.decode_head: "):
        refuse_single_logit(nn.ModuleDict(dict(architecture=model)))


def test_last_head_of_a_cascade_counts(stock_model):
    model = stock_model()
    model.decode_head = nn.ModuleList([model.decode_head, stock_model(head=BINARY).decode_head])
    with pytest.raises(OutputClassesError, match=r"^decode_head\.1: out_channels=1"):
        refuse_single_logit(model)
    model.decode_head = model.decode_head[::-1]
    refuse_single_logit(model)


def test_two_classes_with_a_logit_each_are_fine(stock_model):
    refuse_single_logit(stock_model("FoldableEncoderDecoder", dict(num_classes=2)))


def test_number_of_classes(stock_model):
    model = stock_model()
    check_output_classes(model, list("abcdef"), "train_dataloader")
    with pytest.raises(OutputClassesError) as error:
        check_output_classes(model, ["good", "bad"], "train_dataloader")
    message = str(error.value)
    assert message.startswith("model.decode_head predicts 6 classes")
    assert "data set of train_dataloader has 2 (good, bad)" in message
    assert "model.decode_head.num_classes=2" in message


def test_auxiliary_heads_count_but_for_edges(stock_model):
    model = stock_model(auxiliary=FCN)
    check_output_classes(model, list("abcdef"), "data")
    model = stock_model(auxiliary=FCN | dict(num_classes=4))
    with pytest.raises(OutputClassesError, match=r"model\.auxiliary_head predicts 4"):
        check_output_classes(model, list("abcdef"), "data")
    edges = FCN | dict(type="STDCHead", num_convs=1, num_classes=2, boundary_threshold=0.1)
    check_output_classes(stock_model(auxiliary=[FCN, edges]), list("abcdef"), "data")
    model = stock_model(auxiliary=[FCN, FCN | dict(num_classes=4)])
    with pytest.raises(OutputClassesError, match=r"model\.auxiliary_head\.1 predicts 4"):
        check_output_classes(model, list("abcdef"), "data")
