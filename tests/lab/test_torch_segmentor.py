import cv2
import numpy as np
import torch
from mmengine.config import Config

from lwam_mm.lab.benchmark.models import write_random_weights
from lwam_mm.lab.torch_segmentor import torch_segmentor
from lwam_mm.utils.paths import configs_folder

CONFIG = configs_folder() / "spreadnet" / "spreadnet-s4_1xb32-60e_neu-seg-208x208.py"


def test_it_gives_probabilities_at_any_size(tmp_path):
    config = Config.fromfile(CONFIG)
    config.model.setdefault("data_preprocessor", config.data_preprocessor)
    pictures = [tmp_path / "a.png"]
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    cv2.imwrite(str(pictures[0]), image)
    torch.manual_seed(0)
    write_random_weights(config, pictures, tmp_path / "weights.pth")
    segment = torch_segmentor(config, tmp_path / "weights.pth")
    for shape in ((64, 64), (50, 70)):
        frame = np.resize(image, (*shape, 3))
        probabilities = segment(frame)
        assert probabilities.shape == (4, *shape)
        np.testing.assert_allclose(probabilities.sum(axis=0), 1, rtol=1e-5)
        assert probabilities.std() > 0
