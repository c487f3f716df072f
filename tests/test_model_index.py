"""The model index and its metafiles, as OpenMMLab's mim reads them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import mean

import pytest
import yaml
from mmengine.config import Config

from lwam_mm.lab.studies.results import read_csv

# Where the results of a model are from: study and arm.
_TILES = {
    f"{model}_magnetic-tile-256x256": (f"{source[0]}_magnetic-tile", source[1])
    for model, source in {
        "unetpp-w8_1xb8-8e": ("claim", "teacher"),
        "lwrnet-w16_1xb8-8e": ("claim", "student"),
        "kd-unetpp-w8_lwrnet-w16_1xb8-8e": ("claim", "all"),
        "fast_scnn_1xb8-8e": ("peers", "fast-scnn"),
        "bisenetv2_1xb8-8e": ("peers", "bisenetv2"),
        "stdc1_1xb8-8e": ("peers", "stdc1"),
        "pidnet-s_1xb8-8e": ("peers", "pidnet-s"),
        "segformer_mit-b0_1xb8-8e": ("peers", "segformer-b0"),
        "unet-w8_1xb8-8e": ("teacher", "unet"),
        "deeplabv3plus_r18-w16-d8_1xb8-8e": ("teacher", "deeplabv3plus"),
    }.items()
}
MEASURED = _TILES | {
    "spreadnet-s8_1xb16-20e_magnetic-tile-256x256": ("split_magnetic-tile", "spreadnet-s8"),
    "spreadnet-s8_1xb4-600i_polito-frames-512x512": ("frames_polito", "scratch-28"),
    "lwrnet-w16_1xb4-600i_polito-frames-512x512": ("frames_polito", "lwrnet-28"),
}
FOLDERS = ("baselines", "demo", "distill", "lwrnet", "reproduction", "spreadnet", "unetpp")


@pytest.fixture(scope="module")
def metafiles(repository) -> dict[str, dict]:
    """The metafiles that the index names, by their folder."""
    index = yaml.safe_load((repository / "model-index.yml").read_text())
    assert index.keys() == {"Import"}
    return {Path(path).parent.name: load(repository / path) for path in index["Import"]}


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


def test_index_names_every_metafile(metafiles, repository):
    written = {path.parent.name for path in repository.glob("configs/*/metafile.yml")}
    assert metafiles.keys() == written
    assert set(FOLDERS) <= written


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_config_of_a_folder_is_a_model(metafiles, folder, repository):
    named = Counter(model["Config"] for model in metafiles[folder]["Models"])
    paths = (repository / "configs" / folder).glob("*.py")
    assert named == Counter(path.relative_to(repository).as_posix() for path in paths)


def test_names_are_unique(metafiles):
    names = Counter(model["Name"] for file in metafiles.values() for model in file["Models"])
    collections = Counter(c["Name"] for file in metafiles.values() for c in file["Collections"])
    assert [name for name, count in (names + collections).items() if count > 1] == []


def test_models_say_what_they_are(metafiles, repository):
    for file in metafiles.values():
        assert file.keys() == {"Collections", "Models"}
        collections = {collection["Name"]: collection for collection in file["Collections"]}
        assert {model["In Collection"] for model in file["Models"]} == collections.keys()
        for model in file["Models"]:
            # No weights are published.
            assert model.keys() - {"Results"} == {"Name", "In Collection", "Config", "Metadata"}
            assert model["Name"].startswith(Path(model["Config"]).stem)
            config = Config.fromfile(repository / model["Config"])
            metadata = model["Metadata"]
            assert metadata["Batch Size"] == config.train_dataloader.batch_size, model["Name"]
            assert (
                metadata["Training Data"]
                in (collections[model["In Collection"]]["Metadata"]["Training Data"])
            )
            dataset = metadata["Training Data"].split()[-2:]
            assert "_".join(dataset).lower() in config.train_dataloader.dataset.data_root
            assert metadata["Architecture"]


def test_results_say_on_what(metafiles):
    for file in metafiles.values():
        for model in file["Models"]:
            for result in model.get("Results", []):
                assert result["Task"] == "Semantic Segmentation", model["Name"]
                assert result["Dataset"] in model["Metadata"]["Training Data"], model["Name"]
                assert result["Metrics"], model["Name"]
                assert all(0 < value <= 100 for value in result["Metrics"].values())


def test_results_are_those_of_the_studies(metafiles, repository):
    found = {
        model["Name"]: result["Metrics"]
        for file in metafiles.values()
        for model in file["Models"]
        for result in model.get("Results", [])
    }
    assert found.keys() == MEASURED.keys()
    for name, (study, arm) in MEASURED.items():
        results = read_csv(repository / f"docs/results/{study}.csv")
        values = [result.metrics["mIoU"] for result in results if result.arm == arm]
        assert found[name] == dict(mIoU=round(mean(values), 2)), name
