from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from lwam_mm.models import UNetPlusPlusHead

LOSS = dict(type="CrossEntropyLoss", avg_non_ignore=True)
# X_ij column by column, i + j at most 4
NODES = ["x_01", "x_11", "x_21", "x_31", "x_02", "x_12", "x_22", "x_03", "x_13", "x_04"]


def make_head(base_channels: int = 4, num_classes: int = 6, **kwargs) -> UNetPlusPlusHead:
    return UNetPlusPlusHead(base_channels, num_classes=num_classes, loss_decode=LOSS, **kwargs)


@pytest.fixture
def features() -> list[Tensor]:
    return [torch.randn(2, 4 << level, 32 >> level, 48 >> level) for level in range(5)]


@pytest.mark.parametrize("deep_supervision", [True, False])
def test_logits_have_the_size_of_the_first_feature(features, deep_supervision):
    head = make_head(num_classes=4, deep_supervision=deep_supervision).eval()
    assert head(features).shape == (2, 4, 32, 48)


@pytest.mark.parametrize("deep_supervision", [True, False])
def test_logits_can_be_recorded(features, deep_supervision):
    head, recorded = make_head(deep_supervision=deep_supervision).eval(), []
    head.get_submodule("logits").register_forward_hook(lambda m, i, o: recorded.append(o))
    assert head.forward(features) is recorded[0]


def test_ten_nodes_without_norm():
    head = make_head(32)
    assert list(head.nodes) == list(head.upsamples) == NODES
    for name in NODES:
        level, column = int(name[2]), int(name[3])
        width = 32 << level
        node, upsample = head.nodes[name], head.upsamples[name]
        assert [type(layer) for layer in node] == [nn.Conv2d, nn.ReLU] * 2
        assert (node[0].in_channels, node[2].in_channels) == ((column + 1) * width, width)
        assert (upsample.in_channels, upsample.out_channels) == (2 * width, width)
    assert not any(isinstance(m, nn.modules.batchnorm._NormBase) for m in head.modules())


def test_an_encoder_may_have_other_widths():
    channels = [6, 16, 24, 40, 112]
    head = make_head(8, in_channels=channels).eval()
    for name in NODES:
        level, column = int(name[2]), int(name[3])
        width = 8 << level
        below = channels[level + 1] if column == 1 else 2 * width
        assert head.upsamples[name].in_channels == below
        assert head.nodes[name][0].in_channels == channels[level] + column * width
        assert head.nodes[name][2].out_channels == head.upsamples[name].out_channels == width
    features = [torch.zeros(2, c, 32 >> level, 48 >> level) for level, c in enumerate(channels)]
    assert head(features).shape == (2, 6, 32, 48)


def test_an_encoder_has_five_features():
    with pytest.raises(ValueError, match="five numbers"):
        make_head(8, in_channels=[16, 24, 40, 112])


def test_upsampled_node_comes_before_the_row(features):
    """The order in which the released weights expect the channels."""
    head, seen = make_head().eval(), {}

    def keep(name):
        return lambda module, inputs, output: seen.update({name: (inputs[0], output)})

    for name in NODES:
        head.nodes[name].register_forward_hook(keep(name))
        head.upsamples[name].register_forward_hook(keep(f"up {name}"))
    head(features)
    outputs = {f"x_{level}0": feature for level, feature in enumerate(features)}
    outputs |= {name: seen[name][1] for name in NODES}
    for name in NODES:
        level, column = int(name[2]), int(name[3])
        assert seen[f"up {name}"][0] is outputs[f"x_{level + 1}{column - 1}"]
        row = [outputs[f"x_{level}{earlier}"] for earlier in range(column)]
        assert torch.equal(seen[name][0], torch.cat([seen[f"up {name}"][1], *row], dim=1))


def test_deep_supervision_is_the_mean_of_four_classifiers(features):
    head, columns = make_head().eval(), {}
    for column in range(1, 5):
        head.nodes[f"x_0{column}"].register_forward_hook(
            lambda m, i, o, column=column: columns.update({column: o})
        )
    with torch.no_grad():
        logits = head(features)
        parts = [
            classifier(columns[column])
            for column, classifier in enumerate([*head.side_classifiers.values(), head.conv_seg], 1)
        ]
    assert len(parts) == 4
    torch.testing.assert_close(logits, torch.stack(parts).mean(dim=0))
    assert (parts[0] - parts[3]).abs().max() > 0.01


def test_without_deep_supervision_the_fourth_classifier_decides(features, count_parameters):
    deep, head = make_head(), make_head(deep_supervision=False)
    head.load_state_dict(
        {k: v for k, v in deep.state_dict().items() if not k.startswith("side_classifiers")}
    )
    columns = []
    head.nodes["x_04"].register_forward_hook(lambda m, i, o: columns.append(o))
    logits = head(features)
    torch.testing.assert_close(logits, head.conv_seg(columns[0]))
    assert count_parameters(deep) - count_parameters(head) == 3 * (4 * 6 + 6)


def test_dropout_is_off_unless_asked_for(features):
    head = make_head().train()
    assert torch.equal(head(features), head(features))


def test_initialisation_as_released():
    torch.manual_seed(0)
    head = make_head(32, repeat_pixels=False)
    head.init_weights()
    for name, module in head.named_modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 2000:
            fan_in = module.in_channels * math.prod(module.kernel_size)
        elif isinstance(module, nn.ConvTranspose2d):
            fan_in = module.out_channels * 4  # as torch counts for a transposed convolution
        else:
            continue
        std = module.weight.std().item()
        assert std == pytest.approx(math.sqrt(2 / fan_in), rel=0.06), name


def test_upsampling_begins_as_a_repetition_of_each_pixel(features):
    for repeats in (True, False):
        head = make_head(repeat_pixels=repeats)
        head.init_weights()
        for name in NODES:
            kernel = head.upsamples[name].weight
            same = torch.equal(kernel, kernel[:, :, :1, :1].expand_as(kernel))
            assert same is repeats, name
            assert kernel.std() > 0.01
