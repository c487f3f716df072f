from __future__ import annotations

import pytest
import torch

from lwam_mm.distill.recorded_teacher import TeacherEngineError


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_whatever_is_recorded_is_served(make, config, batch, engine, teachers_records):
    """Modules before and behind a norm, a tuple, one called twice, inputs, methods, parameters."""
    config.distiller.teacher_recorders.update(
        conv=dict(type="mmrazor.ModuleOutputs", source="backbone.nodes.x_40.3"),
        norm=dict(type="mmrazor.ModuleOutputs", source="backbone.nodes.x_40.4"),
        features=dict(type="mmrazor.ModuleOutputs", source="backbone"),
        pools=dict(type="mmrazor.ModuleInputs", source="backbone.pool"),
        side=dict(type="mmrazor.ModuleOutputs", source="decode_head.side_classifiers.x_01"),
        method=dict(
            type="mmrazor.MethodOutputs",
            source="lwam_mm.models.decode_heads.unetpp_head.UNetPlusPlusHead.cls_seg",
        ),
        weight=dict(type="mmrazor.Parameter", source="decode_head.conv_seg.weight"),
    )
    inputs, _ = batch()
    expected = teachers_records(make(teacher_engine=None), inputs)
    found = teachers_records(make(teacher_engine=engine), inputs)
    assert len(expected["pools"]) == 4
    assert len(expected["features"][0]) == 5
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], atol=1e-4, rtol=1e-4, msg=name)


def test_what_nobody_records_is_not_computed(make, config, batch, teachers_records):
    inputs, _ = batch()

    def operations():
        algorithm = make(teacher_engine="torch")
        teachers_records(algorithm, inputs)
        (graph,) = algorithm.teacher_engine._graphs.values()
        return sum("conv" in str(node.target) for node in graph._graph.graph.nodes)

    everything = operations()
    del config.distiller.teacher_recorders["logits"]
    del config.distiller.distill_losses["loss_dist"]
    del config.distiller.loss_forward_mappings["loss_dist"]
    assert everything > 30
    assert operations() == 10  # the encoder's, which the feature needs


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_what_cannot_be_served_is_named(make, config, batch, engine):
    config.distiller.teacher_recorders.odd = dict(
        type="mmrazor.ModuleInputs", source="decode_head.logits"
    )
    algorithm = make(teacher_engine=engine)
    algorithm.teacher.decode_head.logits.register_forward_pre_hook(lambda m, i: (*i, "text"))
    algorithm.teacher.decode_head.logits.forward = lambda x, text: x
    with pytest.raises(TeacherEngineError, match=r"teacher_recorders\.odd keeps a str.*=None"):
        algorithm(*batch(), mode="loss")
