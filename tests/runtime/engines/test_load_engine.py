import sys

import pytest

from lwam_mm.runtime import BundleError, EngineError, read_bundle
from lwam_mm.runtime.engines.load_engine import ENGINE_LOADERS, load_engine


def test_an_unknown_engine_is_refused_with_those_that_are_there(make_bundle, new_manifest):
    root = make_bundle(manifest=new_manifest(engine="abacus"))
    with pytest.raises(BundleError, match=r"'abacus' is unknown .*'onnxruntime'"):
        load_engine(read_bundle(root))


@pytest.mark.parametrize("threads", [0, -1])
def test_a_number_of_threads_that_is_not_positive_is_refused(make_bundle, threads):
    with pytest.raises(ValueError, match=f"threads is {threads}"):
        load_engine(read_bundle(make_bundle()), threads)


def test_the_loader_is_found_by_name_and_given_bundle_and_threads(
    make_bundle, new_manifest, monkeypatch
):
    bundle = read_bundle(make_bundle(manifest=new_manifest(engine="abacus")))
    monkeypatch.setitem(ENGINE_LOADERS, "abacus", lambda *arguments: arguments)
    assert load_engine(bundle, 3) == (bundle, 3)


@pytest.mark.parametrize("engine", sorted(ENGINE_LOADERS))
def test_an_engine_that_is_not_installed_is_named_with_the_remedy(
    make_bundle, new_manifest, monkeypatch, engine
):
    monkeypatch.setitem(sys.modules, engine, None)
    root = make_bundle(manifest=new_manifest(engine=engine))
    with pytest.raises(EngineError, match=f"{root} needs {engine}, .*: pip install {engine}$"):
        load_engine(read_bundle(root))
