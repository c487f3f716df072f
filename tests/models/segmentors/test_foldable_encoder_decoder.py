"""What has to hold for both networks, in mmseg's plain segmentor and in ours."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from lwam_mm.models import RepConv, reparameterize

TOLERANCE = dict(atol=1e-5, rtol=1e-5)
RELEASED_PARAMETERS = dict(student=3_994_470, teacher=9_046_904)

networks = pytest.mark.parametrize("network", ["student", "teacher"])
segmentors = pytest.mark.parametrize("segmentor", ["EncoderDecoder", "FoldableEncoderDecoder"])


@networks
@segmentors
@pytest.mark.parametrize("size", [(16, 16), (32, 80), (48, 16)])
def test_logits_have_the_input_s_size(build_segmentor, network, segmentor, size):
    model = build_segmentor(network, segmentor).eval()
    with torch.no_grad():
        assert model(torch.zeros(1, 3, *size)).shape == (1, 6, *size)


@networks
def test_other_sizes_are_refused(build_segmentor, network):
    model = build_segmentor(network).eval()
    with pytest.raises(ValueError, match=r"32x40 pixels.*multiples of 16"):
        model(torch.zeros(1, 3, 32, 40))


@networks
@segmentors
def test_loss_reaches_every_parameter(build_segmentor, make_batch, network, segmentor):
    model = build_segmentor(network, segmentor)
    model.init_weights()
    losses = model(*make_batch(), mode="loss")
    assert set(losses) == {"decode.loss_ce", "decode.acc_seg"}
    losses["decode.loss_ce"].backward()
    unreached = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    # The mean of a batch norm takes the bias of the convolution before it away.
    idle = [name for name in unreached if network == "student" or "backbone" not in name]
    assert idle == []
    assert all(name.endswith(".bias") for name in unreached)


@networks
@segmentors
def test_weights_survive_saving_and_loading(
    build_segmentor, make_batch, randomise_batch_norms, tmp_path, network, segmentor
):
    model = randomise_batch_norms(build_segmentor(network, segmentor)).eval()
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    other = build_segmentor(network, segmentor).eval()
    inputs, _ = make_batch()
    with torch.no_grad():
        expected = model(inputs)
        assert not torch.equal(other(inputs), expected)
        other.load_state_dict(torch.load(tmp_path / "weights.pth", weights_only=True))
        assert torch.equal(other(inputs), expected)


@networks
def test_evaluation_is_deterministic(build_segmentor, make_batch, network):
    model = build_segmentor(network).eval()
    inputs, _ = make_batch()
    with torch.no_grad():
        together = model(inputs)
        assert torch.equal(model(inputs), together)
        alone = torch.cat([model(image[None]) for image in inputs])
    torch.testing.assert_close(alone, together, **TOLERANCE)


@networks
def test_prediction_is_the_logits_maximum_in_the_original_size(
    build_segmentor, make_batch, network
):
    model = build_segmentor(network).eval()
    inputs, samples = make_batch(1)
    shapes = dict(img_shape=(32, 48), padding_size=[0, 5, 0, 3], ori_shape=(29, 43))
    samples[0].set_metainfo(shapes)
    with torch.no_grad():
        logits = model(inputs)
        (predicted,) = model(inputs, samples, mode="predict")
    labels = predicted.pred_sem_seg.data
    assert labels.shape == (1, 29, 43)
    assert torch.equal(labels, logits[0].argmax(dim=0, keepdim=True)[:, :29, :43])


@networks
def test_no_resize_between_classifier_and_output(build_segmentor, make_batch, network):
    model = build_segmentor(network).eval().requires_grad_(False)
    inputs, samples = make_batch(1)
    metas = [samples[0].metainfo]
    traced = torch.jit.trace(lambda x: model.encode_decode(x, metas), inputs, check_trace=False)
    kinds = {node.kind() for node in traced.inlined_graph.nodes()}
    assert "aten::_convolution" in kinds
    assert not {kind for kind in kinds if "upsample" in kind}


@networks
def test_released_width_has_the_released_parameters(build_segmentor, count_parameters, network):
    with torch.device("meta"):
        model = build_segmentor(network, width=None)
    assert count_parameters(model) == RELEASED_PARAMETERS[network]


@networks
def test_width_scales_the_parameters(build_segmentor, count_parameters, network):
    with torch.device("meta"):
        counts = [count_parameters(build_segmentor(network, width=w)) for w in (8, 16, 32)]
    assert counts[1] / counts[0] == pytest.approx(4, rel=0.15)
    assert counts[2] / counts[1] == pytest.approx(4, rel=0.05)


def test_folded_student_of_released_width(build_segmentor, count_parameters):
    with torch.device("meta"):
        model = build_segmentor("student", width=None).eval()
        built = build_segmentor("student", width=None, deploy=True)
    folded = reparameterize(model)
    assert count_parameters(folded) == count_parameters(built) == 3_658_822
    shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (folded, built)]
    assert shapes[0] == shapes[1]


def layers(model: nn.Module) -> dict[str, int]:
    kernels = [m.kernel_size for m in model.modules() if type(m) is nn.Conv2d]
    kinds = [type(m) for m in model.modules()]
    return dict(
        conv3x3=kernels.count((3, 3)),
        conv1x1=kernels.count((1, 1)),
        transposed=kinds.count(nn.ConvTranspose2d),
        norms=kinds.count(nn.BatchNorm2d),
    )


def test_switch_to_deploy_folds_encoder_and_head(
    build_segmentor, make_batch, randomise_batch_norms
):
    model = randomise_batch_norms(build_segmentor("student")).eval()
    inputs, _ = make_batch()
    with torch.no_grad():
        expected = model(inputs)
        assert expected.std() > 0.01  # not a comparison of zeros
        # MMDeploy's order; the second call meets an encoder that is folded already.
        model.backbone.switch_to_deploy()
        model.switch_to_deploy()
        torch.testing.assert_close(model(inputs), expected, **TOLERANCE)
    assert layers(model) == dict(conv3x3=10, conv1x1=1, transposed=4, norms=0)
    weights = copy.deepcopy(model.state_dict())
    model.switch_to_deploy()
    assert all(torch.equal(weights[k], v) for k, v in model.state_dict().items())


def test_plain_segmentor_folds_by_reparameterize(
    build_segmentor, make_batch, randomise_batch_norms
):
    model = randomise_batch_norms(build_segmentor("student", "EncoderDecoder")).eval()
    assert not hasattr(model, "switch_to_deploy")
    inputs, _ = make_batch()
    folded = reparameterize(model)
    assert all(block.is_folded for block in folded.modules() if isinstance(block, RepConv))
    with torch.no_grad():
        torch.testing.assert_close(folded(inputs), model(inputs), **TOLERANCE)


@pytest.mark.parametrize("branches", [dict(with_1x1=False), dict(with_identity=False)], ids=str)
def test_ablations_fold_too(build_segmentor, make_batch, randomise_batch_norms, branches):
    model = randomise_batch_norms(build_segmentor("student", **branches)).eval()
    inputs, _ = make_batch()
    with torch.no_grad():
        torch.testing.assert_close(reparameterize(model)(inputs), model(inputs), **TOLERANCE)


def test_deploy_form_loads_folded_weights(build_segmentor, make_batch, randomise_batch_norms):
    folded = reparameterize(randomise_batch_norms(build_segmentor("student")).eval())
    built = build_segmentor("student", deploy=True).eval()
    built.load_state_dict(folded.state_dict())
    inputs, _ = make_batch()
    with torch.no_grad():
        assert torch.equal(built(inputs), folded(inputs))


def test_switch_to_deploy_ends_training(build_segmentor, make_batch, randomise_batch_norms):
    """MMDeploy calls it before ``eval()`` and means the statistics of evaluation."""
    model = randomise_batch_norms(build_segmentor("student")).train()
    inputs, _ = make_batch()
    with torch.no_grad():
        expected = copy.deepcopy(model).eval()(inputs)
        model.switch_to_deploy()
        assert not any(module.training for module in model.modules())
        torch.testing.assert_close(model(inputs), expected, **TOLERANCE)


def test_fold_of_a_model_that_trains_is_refused(build_segmentor):
    model = build_segmentor("student").train()
    with pytest.raises(RuntimeError, match=r"training mode.*\.eval\(\)"):
        reparameterize(model, inplace=True)
    assert not any(block.is_folded for block in model.modules() if isinstance(block, RepConv))


def test_teacher_has_nothing_to_fold(build_segmentor):
    model = build_segmentor("teacher").eval()
    before = layers(model)
    model.switch_to_deploy()
    assert layers(model) == before
    assert before == dict(conv3x3=30, conv1x1=4, transposed=10, norms=10)
