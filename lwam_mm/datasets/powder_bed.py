"""The powder-bed data set in the released layout."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine.config import Config
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from lwam_mm.datasets.classes import CLASSES, IGNORE_INDEX, PALETTE, default_palette
from lwam_mm.datasets.layout import SplitSpec, as_suffixes, checked_white_level, pair_files
from lwam_mm.datasets.problem import DatasetError, raise_for
from lwam_mm.datasets.samplers.oversample import repeat_rare
from lwam_mm.datasets.seeded_dataset import AugmentsByDraw
from lwam_mm.datasets.text_lists import read_names
from lwam_mm.runtime.region_of_interest import Polygon, RegionOfInterest

_DONORS = 8


@DATASETS.register_module()
class PowderBedDataset(AugmentsByDraw, BaseSegDataset):
    """Images of powder layers with masks of class indices, ``ROOT/{images,masks}/SPLIT/NAME``.

    An image and its mask have the same stem; sub-folders are allowed. Everything that
    :func:`~lwam_mm.datasets.layout.pair_files` can find without opening an image is an error when
    the data set is built. Each sample carries ``num_classes``, against which
    :class:`~lwam_mm.datasets.transforms.loading.LoadIndexMask` checks the masks.

    Without ``seg_map_path`` in ``data_prefix`` and with ``test_mode=True`` the data set is for
    pure prediction: images without masks. Training needs masks, unless ``clean=True``.

    Args:
        img_suffix: What images end with; several are allowed.
        seg_map_suffix: What masks end with.
        metainfo: ``dict(classes=..., palette=...)`` **replaces** the released classes: the names
            in index order, or a text file with one name per line, and an RGB colour (0..255) each.
            Without ``palette``, colours are made.
        white_level: The largest value that the camera can give in 16-bit files, 1..65535, such as
            4095 for 12 bits; it becomes 255. None means 65535. Files of 8 bits and PNM files do
            not need it.
        roi: Region of interest of the camera: a polygon, or the path of a JSON file or mask image
            (see :class:`~lwam_mm.runtime.region_of_interest.RegionOfInterest`). Mask pixels outside
            are ignored, in losses and metrics. None means the whole frame.
        clean: Whether no frame shows a defect. Such frames need no masks (``data_prefix`` without
            ``seg_map_path``): every pixel is background. To train on, with
            :class:`~lwam_mm.datasets.transforms.draw_defects.DrawDefects`.
        oversample_thr: For training on rare classes: an image is listed
            ``ceil(sqrt(oversample_thr / f))`` times, where ``f`` is the share of images that have
            its rarest class (Gupta et al. 2019, arXiv 1908.03195, as mmengine's
            ``ClassBalancedDataset`` does). 0..1; 0 lists each image once.
        **kwargs: The arguments of mmseg's ``BaseSegDataset``: ``data_root``, ``data_prefix``,
            ``ann_file`` (split file: the stems to use, one per line), ``pipeline``, ``test_mode``,
            ``indices`` and so on. Files are local: ``backend_args`` is refused. So are
            ``reduce_zero_label`` (class 0 is the background) and any ``ignore_index`` but 255.

    Raises:
        DatasetError: If the files or the class list cannot be used as they are.
    """

    METAINFO: ClassVar[dict] = dict(
        classes=CLASSES, palette=[list(colour) for colour in PALETTE], white_level=65535
    )

    def __init__(
        self,
        img_suffix: str | Sequence[str] = ".png",
        seg_map_suffix: str = ".png",
        metainfo: Mapping | Config | None = None,
        oversample_thr: float = 0.0,
        white_level: int | None = None,
        roi: str | Path | Polygon | None = None,
        clean: bool = False,
        **kwargs: Any,
    ) -> None:
        if not 0 <= oversample_thr <= 1:
            raise DatasetError(
                f"{type(self).__name__}: oversample_thr={oversample_thr!r} is not a share of "
                "images. Remedy: give a value in 0..1; 0 repeats none."
            )
        self.white_level = checked_white_level(white_level)
        self.oversample_thr = oversample_thr
        self.clean = clean
        self.roi = None if roi is None else RegionOfInterest(roi)
        fixed = dict(reduce_zero_label=False, ignore_index=IGNORE_INDEX, backend_args=None)
        for name, wanted in fixed.items():
            if kwargs.get(name, wanted) != wanted:
                raise DatasetError(
                    f"{type(self).__name__}: {name}={kwargs[name]!r} is not supported. "
                    f"Remedy: leave it out (it is {wanted!r} here)."
                )
        super().__init__(
            img_suffix=as_suffixes(img_suffix),
            seg_map_suffix=seg_map_suffix,
            metainfo=metainfo,
            **kwargs,
        )
        if white_level is not None:
            # Checkpoints remember it with the classes.
            self._metainfo["white_level"] = white_level

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None = None) -> None:
        """Never remap: a class list says what the indices in the masks mean."""
        return None

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping | Config | None = None) -> dict:
        # MMDeploy calls this method too, so everything has to be done here.
        given = dict(metainfo.items()) if metainfo else {}
        if isinstance(given.get("classes"), str) and Path(given["classes"]).is_file():
            names, problems = read_names(Path(given["classes"]), "class file")
            raise_for(problems, "The class list")
            given["classes"] = list(names.values())
        loaded = super()._load_metainfo(given)
        _check_classes(loaded["classes"])
        if "classes" in given and "palette" not in given:
            loaded["palette"] = default_palette(len(loaded["classes"]))
        _check_palette(loaded["palette"], len(loaded["classes"]))
        return loaded

    def load_data_list(self) -> list[dict]:
        """List the samples."""
        has_masks = "seg_map_path" in self.data_prefix
        if has_masks and self.clean:
            raise DatasetError(
                f"{self.data_prefix['seg_map_path']}: is a folder of masks, which clean=True has "
                "no use for. Remedy: set data_prefix=dict(_delete_=True, img_path=...), or leave "
                "clean out."
            )
        if not (has_masks or self.clean or self.test_mode):
            raise DatasetError(
                f"{self.data_prefix.get('img_path')}: no folder of masks is named. Remedy: set "
                "seg_map_path in data_prefix, or clean=True if no frame shows a defect; only "
                "test_mode=True can go without masks."
            )
        spec = SplitSpec(
            name=Path(self.data_prefix["img_path"]).name,
            image_dir=Path(self.data_prefix["img_path"]),
            mask_dir=Path(self.data_prefix["seg_map_path"]) if has_masks else None,
            img_suffixes=self.img_suffix,
            mask_suffix=self.seg_map_suffix,
            split_file=Path(self.ann_file) if self.ann_file else None,
        )
        pairs, problems = pair_files(spec)
        raise_for(problems, f"The data set {spec.image_dir}")
        samples = []
        for pair in pairs:
            sample = dict(
                img_path=str(pair.image),
                white_level=self.white_level,
                num_classes=len(self._metainfo["classes"]),
                label_map=None,
                reduce_zero_label=False,
                seg_fields=[],
            )
            if pair.mask is not None:
                sample["seg_map_path"] = str(pair.mask)
            if self.clean:
                sample["clean"] = True
            samples.append(sample)
        return repeat_rare(samples, self.oversample_thr) if self.oversample_thr else samples

    def get_data_info(self, idx: int) -> dict:
        """Return what is known of one sample before its files are read."""
        # Added here, because mmengine keeps each sample's entries as bytes of their own.
        return super().get_data_info(idx) | dict(roi=self.roi, classes=self._metainfo["classes"])

    def prepare_data(self, idx: int) -> Any:
        """Load and augment one sample.

        In training it gets the key ``donors``: a few other samples as they are listed, drawn at
        random, for transforms that combine two.
        """
        sample = self.get_data_info(idx)
        path = sample["img_path"]
        if not self.test_mode:
            drawn = random.choices(range(len(self)), k=_DONORS)
            sample["donors"] = [self.get_data_info(other) for other in drawn]
        data = self.pipeline(sample)
        if data is None:
            raise DatasetError(
                f"{path}: the pipeline dropped this sample (a transform returned None). Remedy: "
                "repair the transform; samples are never left out silently."
            )
        return data


def _check_classes(classes: object) -> None:
    if isinstance(classes, str) or not isinstance(classes, Sequence) or not classes:
        raise DatasetError(
            f"metainfo: classes={classes!r} is no list of names. "
            "Remedy: give the class names in index order, or a text file with one per line."
        )
    if not all(isinstance(name, str) and name.strip() for name in classes):
        raise DatasetError(f"metainfo: classes={classes!r} has a blank name. Remedy: name it.")
    if len(set(classes)) != len(classes):
        raise DatasetError(f"metainfo: classes={classes!r} repeats a name. Remedy: rename one.")
    if len(classes) > IGNORE_INDEX:
        raise DatasetError(
            f"metainfo: {len(classes)} classes do not fit an 8-bit mask. "
            f"Remedy: use at most {IGNORE_INDEX}; {IGNORE_INDEX} means ignore."
        )


def _check_palette(palette: object, num_classes: int) -> None:
    try:
        colours = np.asarray(palette)
    except ValueError:  # lists of different lengths
        colours = np.empty(0)
    fits = colours.shape == (num_classes, 3) and colours.dtype.kind in "iu"
    if not fits or colours.min() < 0 or colours.max() > 255:
        raise DatasetError(
            f"metainfo: palette={palette!r} does not fit {num_classes} classes. Remedy: give one "
            "[red, green, blue] (0..255) per class, or leave palette out to have colours made."
        )
