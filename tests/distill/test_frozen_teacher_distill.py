from __future__ import annotations

import copy

import pytest
import torch
from mmseg.registry import MODELS

from lwam_mm.models.checkpoint import CheckpointMismatchError


@pytest.fixture
def build(config, tmp_path):
    def make(**changes):
        teacher = MODELS.build(copy.deepcopy(config.teacher))
        teacher.init_weights()
        torch.save(dict(state_dict=teacher.state_dict()), tmp_path / "teacher.pth")
        changed = copy.deepcopy(config)
        changed.teacher_ckpt = str(tmp_path / "teacher.pth")
        changed.teacher_engine = None  # test_teacher_engine.py has the others
        changed.update(changes)
        return MODELS.build(changed), teacher

    return make


def test_teacher_is_loaded_and_stays_as_it_is(build, batch):
    algorithm, teacher = build()
    algorithm.init_weights()
    before = {k: v.clone() for k, v in algorithm.teacher.state_dict().items()}
    assert all(torch.equal(before[k], v) for k, v in teacher.state_dict().items())

    algorithm.train()
    assert algorithm.student.training
    assert not any(module.training for module in algorithm.teacher.modules())
    assert not any(p.requires_grad for p in algorithm.teacher.parameters())

    optimizer = torch.optim.SGD([p for p in algorithm.parameters() if p.requires_grad], lr=0.1)
    student_before = copy.deepcopy(algorithm.student.state_dict())
    losses = algorithm(*batch(), mode="loss")
    total, _ = algorithm.parse_losses(losses)
    total.backward()
    optimizer.step()
    after = algorithm.teacher.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)  # running statistics as well
    changed = [
        k
        for k, v in algorithm.student.state_dict().items()
        if not torch.equal(v, student_before[k])
    ]
    assert any(k.startswith("backbone.stage0") for k in changed)


def test_losses_are_those_of_the_paper(build, batch):
    algorithm, _ = build()
    algorithm.init_weights()
    algorithm.train()
    inputs, samples = batch()
    losses = algorithm(inputs, samples, mode="loss")
    assert set(losses) == {
        "student.decode.loss_ce",
        "student.decode.acc_seg",
        "distill.loss_feature",
        "distill.loss_dist",
    }
    # Computed anew, by hand; the student's batch norms saw the same batch.
    student = algorithm.student
    features = student.backbone(inputs)
    logits = student.decode_head(features)
    with torch.no_grad():
        teacher_features = algorithm.teacher.backbone(inputs)
        teacher_logits = algorithm.teacher.decode_head(teacher_features)
    expected = 4 * torch.nn.functional.mse_loss(features[-1], teacher_features[-1])
    torch.testing.assert_close(losses["distill.loss_feature"], expected)
    from lwam_mm.models.losses.pixel_dist_loss import PixelDISTLoss

    torch.testing.assert_close(
        losses["distill.loss_dist"], 2 * PixelDISTLoss(tau=4)(logits, teacher_logits)
    )


def test_teacher_computes_no_loss_and_drops_nothing_out(build, config, batch):
    config.teacher.decode_head.dropout_ratio = 0.5
    algorithm, _ = build()
    algorithm.init_weights()
    algorithm.train()

    def fail(*args, **kwargs):
        raise AssertionError("the teacher computed a loss")

    algorithm.teacher.decode_head.loss = fail
    inputs, samples = batch()
    logits = []
    algorithm.teacher.decode_head.logits.register_forward_hook(lambda m, i, o: logits.append(o))
    algorithm(inputs, samples, mode="loss")
    algorithm(inputs, samples, mode="loss")
    assert torch.equal(logits[0], logits[1])


def test_recorded_tensors_are_not_overwritten(build, config, batch):
    """A feature recorded before an activation survives that activation."""
    config.distiller.teacher_recorders.feature.source = "backbone.nodes.x_40.4"  # its last BN
    algorithm, _ = build()
    algorithm.init_weights()
    algorithm.train()
    algorithm(*batch(), mode="loss")
    recorded = algorithm.distiller.teacher_recorders.get_recorder("feature").get_record_data()
    assert recorded.min() < 0


def test_it_can_be_compiled(build, batch):
    """As by mmengine's ``compile``, with torch's own kernels: the same losses and gradients."""
    algorithm, _ = build(teacher_engine="auto")
    algorithm.init_weights()
    algorithm.train()
    plain = copy.deepcopy(algorithm)

    def step(model, call):
        losses = call(*batch(), mode="loss")
        model.parse_losses(losses)[0].backward()
        return losses, {name: p.grad for name, p in model.student.named_parameters()}

    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()  # of tests before
    found, grads = step(algorithm, torch.compile(algorithm, backend="aot_eager"))
    expected, expected_grads = step(plain, plain)
    assert torch._dynamo.utils.counters["aot_autograd"]["ok"] > 0  # something was compiled
    torch.testing.assert_close(found, expected)
    for name, grad in expected_grads.items():
        torch.testing.assert_close(grads[name], grad, rtol=1e-3, atol=1e-4, msg=name)


def test_either_half_of_the_loss_can_be_left_out(build, batch):
    algorithm, _ = build(calculate_student_loss=False)
    algorithm.init_weights()
    algorithm.train()
    assert set(algorithm(*batch(), mode="loss")) == {"distill.loss_feature", "distill.loss_dist"}
    algorithm, _ = build()
    algorithm.init_weights()
    algorithm.train()
    algorithm.distillation_stopped = True  # as MMRazor's StopDistillHook does
    assert set(algorithm(*batch(), mode="loss")) == {
        "student.decode.loss_ce",
        "student.decode.acc_seg",
    }


def test_prediction_is_the_students(build, batch):
    algorithm, _ = build()
    algorithm.init_weights()
    algorithm.eval()
    inputs, samples = batch()
    predicted = algorithm(inputs, copy.deepcopy(samples), mode="predict")
    own = algorithm.student(inputs, copy.deepcopy(samples), mode="predict")
    for a, b in zip(predicted, own, strict=True):
        assert torch.equal(a.pred_sem_seg.data, b.pred_sem_seg.data)


def test_teacher_checkpoint_has_to_be_there_and_to_fit(build, tmp_path):
    algorithm, _ = build(teacher_ckpt=None)
    with pytest.raises(ValueError, match="needs a trained teacher"):
        algorithm.init_weights()
    algorithm, _ = build(teacher_ckpt=str(tmp_path / "absent.pth"))
    with pytest.raises(FileNotFoundError, match=r"absent\.pth.*train the teacher"):
        algorithm.init_weights()
    algorithm, teacher = build()
    weights = teacher.state_dict()
    del weights["decode_head.conv_seg.bias"]
    torch.save(dict(state_dict=weights), tmp_path / "teacher.pth")
    with pytest.raises(CheckpointMismatchError, match=r"decode_head\.conv_seg\.bias"):
        algorithm.init_weights()


def test_trainable_teacher_is_refused(build):
    with pytest.raises(ValueError, match="never trains"):
        build(teacher_trainable=True)
