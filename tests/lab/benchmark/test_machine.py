from __future__ import annotations

from lwam_mm.lab.benchmark.machine import cpu_model, describe, instruction_sets, versions

INTEL = "processor\t: 0\nmodel name\t: A Processor @ 2 GHz\nflags\t\t: fpu avx2 avx512_vnni amx\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp crc32\n"


def test_an_x86_processor():
    assert cpu_model(INTEL) == "A Processor @ 2 GHz"
    assert instruction_sets(INTEL) == ["avx2", "avx512_vnni"]


def test_an_arm_processor():
    assert cpu_model(ARM)
    assert instruction_sets(ARM) == ["asimd", "asimddp"]


def test_the_run_is_described(monkeypatch):
    monkeypatch.setattr("sys.argv", ["tools/benchmark.py", "--size", "64"])
    described = describe(threads=3)
    assert described["threads"] == "3"
    assert described["command"] == "python tools/benchmark.py --size 64"
    assert f"openvino {versions()['openvino']}" in described["versions"]
    assert described["processor"]
