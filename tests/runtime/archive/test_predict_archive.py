"""Many workers, of a real Ray, give what one process gives."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from tiny_bundle import draw_picture, write_tiny_bundle

from lwam_mm.runtime import BundleError, EngineError, OutputError, Predictor, SettingError
from lwam_mm.runtime.archive import predict_archive as module
from lwam_mm.runtime.archive.predict_archive import predict_archive
from lwam_mm.runtime.archive.worker import Worker
from lwam_mm.runtime.predict_files import predict_files

pytest.importorskip("ray", reason="Ray has no wheel for this system")


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with a processor each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def address(cluster):
    """Address of the cluster."""
    return cluster.address


@pytest.fixture
def predictor(tmp_path):
    return Predictor(write_tiny_bundle(tmp_path), threads=1)


@pytest.fixture
def archive(tmp_path):
    """Two folders of 40 images each under the same names, one of them damaged."""
    folders = [tmp_path / "camera_a", tmp_path / "camera_b"]
    for number, folder in enumerate(folders):
        folder.mkdir()
        for layer in range(40):
            picture = draw_picture(20 + layer % 3, 30, 100 * number + layer)
            assert cv2.imwrite(str(folder / f"layer_{layer}.png"), picture)
    (folders[0] / "layer_5.png").write_bytes(b"damaged")
    return folders


def table_of(out: Path) -> list[list[str]]:
    """Return the table without the times."""
    with (out / "pixels.csv").open(newline="") as file:
        return [row[:-1] for row in csv.reader(file)]


def results_of(out: Path) -> dict[str, bytes]:
    files = [path for path in out.rglob("*") if path.suffix in (".png", ".npy")]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def same(first: Path, second: Path) -> bool:
    return (table_of(first), results_of(first)) == (table_of(second), results_of(second))


def test_two_workers_give_what_one_process_gives(predictor, archive, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    expected = predict_files(predictor, archive, one, probabilities=True)
    lines = []
    found = predict_archive(
        predictor, archive, two, workers=2, probabilities=True, progress=lines.append
    )
    assert same(one, two)
    assert len(found.predicted) == len(expected.predicted) == 79
    assert list(found.failed) == expected.failed != []
    assert (found.kept, len(lines)) == (0, 80)

    # The next run predicts what failed, changed, or lost a result: no more.
    (archive[0] / "layer_5.png").write_bytes((archive[0] / "layer_6.png").read_bytes())
    (archive[1] / "layer_9.png").write_bytes((archive[0] / "layer_8.png").read_bytes())
    (archive[1] / "layer_7.png").write_bytes(b"damaged")
    (two / "overlays" / "layer_3.png").unlink()
    (two / "masks" / "layer_4.png").write_bytes(b"")
    expected = predict_files(predictor, archive, one, probabilities=True)
    lines.clear()
    found = predict_archive(
        predictor, archive, two, workers=2, probabilities=True, progress=lines.append
    )
    assert same(one, two)
    assert list(found.failed) == expected.failed != []
    assert (found.kept, len(lines)) == (75, 5)


def test_another_region_of_interest_predicts_all_again(predictor, archive, tmp_path, address):
    out = tmp_path / "out"
    predict_archive(predictor, archive[1:], out, address=address)
    region = [(2, 2), (9, 2), (9, 9)]
    cut = Predictor(predictor.bundle.root, threads=1, roi=region)
    assert predict_archive(cut, archive[1:], out, address=address).kept == 0
    predict_files(cut, archive[1:], tmp_path / "one")
    assert same(tmp_path / "one", out)
    # One process writes results that the list knows nothing of.
    predict_files(predictor, archive[1:], out)
    assert predict_archive(cut, archive[1:], out, address=address).kept == 0
    assert same(tmp_path / "one", out)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="worker processes are found in /proc")
def test_a_worker_that_is_killed_is_replaced(predictor, archive, tmp_path):
    killed = []

    def kill(line):
        if not killed:
            killed.extend(workers_of(os.getpid()))
            for process in killed:
                os.kill(process, signal.SIGKILL)

    found = predict_archive(predictor, archive, tmp_path / "out", workers=2, progress=kill)
    assert killed
    assert (len(found.predicted), len(found.failed)) == (79, 1)
    predict_files(predictor, archive, tmp_path / "one")
    assert same(tmp_path / "one", tmp_path / "out")


def test_an_image_that_ends_its_worker_stops_nothing(
    predictor, archive, tmp_path, monkeypatch, address
):
    class Mortal(Worker):
        def _predict(self, task):
            if task.file.name == "layer_20.png":
                os._exit(1)  # as a fault of an engine, or the system when memory is short
            return super()._predict(task)

    monkeypatch.setattr(module, "Worker", Mortal)
    found = predict_archive(predictor, archive[1:], tmp_path / "out", address=address)
    assert len(found.predicted) == 39
    ((path, reason),) = found.failed
    assert path == archive[1] / "layer_20.png"
    assert "ended twice over it" in reason
    assert not (tmp_path / "out" / "masks" / "layer_20.png").exists()


def test_workers_that_cannot_begin_end_the_run(predictor, archive, tmp_path, monkeypatch, address):
    class Stillborn(Worker):
        def start(self):
            os._exit(1)

    monkeypatch.setattr(module, "Worker", Stillborn)
    with pytest.raises(EngineError, match="end before they begin"):
        predict_archive(predictor, archive, tmp_path / "out", address=address)


def test_a_bundle_that_is_another_one_ends_the_run(predictor, archive, tmp_path, address):
    write_tiny_bundle(tmp_path, name="other", scale=2.0)
    (tmp_path / "bundle").rename(tmp_path / "before")
    (tmp_path / "other").rename(tmp_path / "bundle")
    with pytest.raises(BundleError, match="has changed since"):
        predict_archive(predictor, archive, tmp_path / "out", address=address)


def test_a_run_that_is_killed_is_taken_up(archive, tmp_path, repository):
    bundle = write_tiny_bundle(tmp_path)
    command = [sys.executable, str(repository / "tools" / "predict.py"), str(bundle)]
    command += [*map(str, archive), "--out", str(tmp_path / "out"), "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("["):
            break
    process.kill()
    process.wait()
    process.stdout.close()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1  # for the damaged image
    assert "of them were there already" in done.stdout
    assert "79 images predicted" in done.stdout
    assert "1 inputs FAILED" in done.stderr
    assert str(archive[0] / "layer_5.png") in done.stderr
    predict_files(Predictor(bundle, threads=1), archive, tmp_path / "one")
    assert same(tmp_path / "one", tmp_path / "out")


def test_a_cluster_of_two_nodes(predictor, archive, tmp_path, repository, address):
    command = [sys.executable, str(repository / "tools" / "predict.py")]
    command += [str(predictor.bundle.root), *map(str, archive), "--out", str(tmp_path / "out")]
    done = subprocess.run([*command, "--ray-address", address], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    predict_files(predictor, archive, tmp_path / "one")
    assert same(tmp_path / "one", tmp_path / "out")


def test_a_machine_that_goes_stops_nothing(predictor, archive, tmp_path, cluster):
    nodes = [cluster.add_node(num_cpus=1)]

    def remove(line):
        if nodes:
            cluster.remove_node(nodes.pop(), allow_graceful=False)

    out = tmp_path / "out"
    found = predict_archive(
        predictor, archive, out, workers=3, address=cluster.address, progress=remove
    )
    assert not nodes
    assert len(found.predicted) == 79
    predict_files(predictor, archive, tmp_path / "one")
    assert same(tmp_path / "one", out)


def test_what_stops_everything_is_named(predictor, archive, tmp_path, monkeypatch):
    with pytest.raises(SettingError, match="workers is 0"):
        predict_archive(predictor, archive, tmp_path / "out", workers=0)
    for address in ("127.0.0.1:9", "nonsense"):
        with pytest.raises(SettingError, match=f"no Ray cluster answers at {address}"):
            predict_archive(predictor, archive, tmp_path / "out", address=address)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        predict_archive(predictor, archive, tmp_path / "file", workers=1)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingError, match="pip install"):
        predict_archive(predictor, archive, tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


def test_nothing_that_is_no_result_is_overwritten(predictor, archive, tmp_path, address):
    precious = tmp_path / "out" / "masks" / "layer_1.png"
    precious.parent.mkdir(parents=True)
    precious.write_bytes(b"precious")
    for _ in range(2):
        with pytest.raises(OutputError, match=r"holds no pixels\.csv"):
            predict_archive(predictor, archive, tmp_path / "out", address=address)
    assert precious.read_bytes() == b"precious"


def workers_of(driver: int) -> list[int]:
    """Return the worker processes of the Ray that this process started."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(text.rpartition(")")[2].split()[1])
    found = []
    for process, parent in parents.items():
        if parents.get(parent) != driver:
            continue
        try:
            name = Path(f"/proc/{process}/cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::Worker"):
            found.append(process)
    return found
