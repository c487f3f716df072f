"""The model index and its metafiles, as OpenMMLab's mim reads them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

FOLDERS = ("baselines", "demo", "distill", "lwrnet", "reproduction", "unetpp")


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
            for result in as_list(model.get("Results", [])):
                assert result["Task"] == "Semantic Segmentation", model["Name"]
                assert result["Dataset"] in model["Metadata"]["Training Data"], model["Name"]
                assert result["Metrics"], model["Name"]
                assert all(0 < value <= 100 for value in result["Metrics"].values())


def as_list(value):
    return value if isinstance(value, list) else [value]
