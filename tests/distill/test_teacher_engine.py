from __future__ import annotations

import copy
import pickle
import sys

import pytest
import torch
from mmrazor.models.distillers import configurable_distiller
from mmrazor.models.task_modules import DistillDeliveryManager

from lwam_mm.distill.recorded_teacher import TeacherEngineError
from lwam_mm.distill.teacher_engine import TeacherEngine
from lwam_mm.distill.torch_teacher import TorchTeacher

STOCK = dict(type="mmrazor.SingleTeacherDistill")


def train(algorithm, batches) -> list[dict[str, float]]:
    """Train for a step on each batch; return each step's losses."""
    # Not Adam, which makes steps of full length out of rounding where a gradient is all but 0.
    optimizer = torch.optim.SGD([p for p in algorithm.parameters() if p.requires_grad], lr=0.01)
    found = []
    for inputs, samples in batches:
        total, losses = algorithm.parse_losses(algorithm(inputs, samples, mode="loss"))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        found.append({name: float(value) for name, value in losses.items() if "loss" in name})
    return found


@pytest.mark.parametrize("engine", [None, "torch", "openvino", "auto"])
def test_losses_and_weights_are_those_of_the_stock_algorithm(make, batch, engine):
    # The batches differ in size, as the last one of an epoch does, and in images' size.
    sizes = ((2, 32), (2, 32), (1, 32), (2, 48), (2, 32))
    batches = [batch(images, size, seed) for seed, (images, size) in enumerate(sizes)]
    stock, ours = make(**STOCK), make(teacher_engine=engine)
    before = copy.deepcopy(stock.student.state_dict())
    expected, found = train(stock, batches), train(ours, batches)
    assert len(expected[0]) == 4
    for step, losses in enumerate(expected):
        assert found[step] == pytest.approx(losses, abs=1e-4), step
    weights = ours.student.state_dict()
    for name, weight in stock.student.state_dict().items():
        torch.testing.assert_close(weights[name], weight, atol=1e-4, rtol=1e-3, msg=name)
    changed = [n for n, w in before.items() if not torch.equal(w, stock.student.state_dict()[n])]
    assert len(changed) == len(before)


def test_int8_teacher_without_images_names_the_hook(make, batch):
    with pytest.raises(TeacherEngineError, match="CalibrateTeacherHook"):
        make(teacher_engine="openvino-int8")(*batch(), mode="loss")


def test_auto_goes_on_with_the_modules_where_an_engine_cannot(make, batch, monkeypatch):
    expected = train(make(teacher_engine=None), [batch()])

    def fail(*args, **kwargs):
        raise TeacherEngineError("no such operator")

    monkeypatch.setattr(TeacherEngine, "_make", fail)
    assert train(make(teacher_engine="auto"), [batch()]) == expected
    with pytest.raises(TeacherEngineError, match="no such operator"):
        train(make(teacher_engine="torch"), [batch()])


def test_deliveries_need_the_modules(make, monkeypatch):
    class Deliveries(DistillDeliveryManager):
        def __init__(self, config):
            super().__init__()
            self.deliveries["drawn"] = object()

    monkeypatch.setattr(configurable_distiller, "DistillDeliveryManager", Deliveries)
    assert make(teacher_engine="auto").teacher_engine.name is None
    with pytest.raises(ValueError, match="deliveries"):
        make(teacher_engine="openvino")


def test_new_weights_make_a_new_graph(make, batch, teachers_records):
    inputs, _ = batch()
    for engine in ("torch", "openvino"):
        algorithm = make(teacher_engine=engine)
        teachers_records(algorithm, inputs)
        other = make(teacher_engine=None)
        with torch.no_grad():
            other.teacher.backbone.nodes.x_40[4].running_mean.add_(1)
        algorithm.teacher.load_state_dict(other.teacher.state_dict())
        found, expected = (teachers_records(a, inputs) for a in (algorithm, other))
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_few_sizes_are_kept(make, batch, monkeypatch):
    made = []

    def note(self, engine, images, autocast):
        made.append((engine, images.shape))
        return TorchTeacher.__new__(TorchTeacher)

    monkeypatch.setattr(TeacherEngine, "_make", note)
    engine = make(teacher_engine="openvino").teacher_engine

    def graph(images, size):
        return engine._graph(engine.name, batch(images, size)[0])

    first = graph(2, 32)
    assert graph(5, 32) is first  # images go through one by one
    assert len({id(graph(2, size)) for size in (48, 64, 80)} | {id(first)}) == 4
    assert graph(2, 32) is first
    assert len(made) == 4
    graph(2, 96)
    assert graph(2, 32) is not first
    assert len(engine._graphs) == 4


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_autocast_reaches_the_teacher(make, batch, engine, teachers_records):
    inputs, _ = batch()
    algorithm = make(teacher_engine=engine)
    exact = teachers_records(algorithm, inputs)["logits"][0]
    with torch.autocast("cpu", torch.bfloat16):
        found = teachers_records(algorithm, inputs)["logits"][0]
        total, _ = algorithm.parse_losses(algorithm(*batch(), mode="loss"))
    total.backward()
    if engine == "torch":
        assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), exact, atol=0.1, rtol=0.1)
    assert torch.equal(teachers_records(algorithm, inputs)["logits"][0], exact)


def test_checkpoints_do_not_depend_on_the_engine(make, batch):
    plain = make(**STOCK).state_dict()
    for engine in ("torch", "openvino"):
        algorithm = make(teacher_engine=engine)
        algorithm(*batch(), mode="loss")
        assert list(algorithm.state_dict()) == list(plain)
        algorithm.load_state_dict(plain, strict=True)
        assert all(not k.startswith("teacher.") or p.requires_grad is False
                   for k, p in algorithm.named_parameters())  # fmt: skip


def test_copies_and_pickles_make_their_own_graphs(make, batch, teachers_records):
    algorithm = make(teacher_engine="openvino")
    inputs, _ = batch()
    expected = teachers_records(algorithm, inputs)
    for recorder in algorithm.distiller.teacher_recorders.recorders.values():
        recorder.reset_data_buffer()
    for other in (copy.deepcopy(algorithm), pickle.loads(pickle.dumps(algorithm))):
        found = teachers_records(other, inputs)
        torch.testing.assert_close(found, expected)
        assert not algorithm.distiller.teacher_recorders.get_recorder("logits").data_buffer


def test_openvino_is_for_processors_that_have_it(make, batch, monkeypatch):
    engine = make(teacher_engine="openvino").teacher_engine
    with pytest.raises(TeacherEngineError, match="is for processors, but the training is on cuda"):
        engine._engine_for(torch.device("cuda"))
    assert make(teacher_engine="auto").teacher_engine._engine_for(torch.device("cuda")) == "torch"
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(TeacherEngineError, match="pip install openvino"):
        make(teacher_engine="openvino")(*batch(), mode="loss")


def test_an_unknown_engine_is_refused(make):
    with pytest.raises(ValueError, match="teacher_engine='tensorrt': use one of"):
        make(teacher_engine="tensorrt")
