import dataclasses
from pathlib import Path

import pytest

from lwam_mm.datasets.layout import SplitSpec, as_suffixes, pair_files


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.fixture
def spec(tmp_path) -> SplitSpec:
    return SplitSpec(
        "train",
        touch(tmp_path / "images", "b.png", "a.png", "build2/a.png", "._a.png", "notes.txt"),
        touch(tmp_path / "masks", "a.png", "b.png", "build2/a.png", "._z.png"),
    )


def with_split_file(spec: SplitSpec, text: str | bytes) -> SplitSpec:
    split_file = spec.image_dir.parent / "split.txt"
    split_file.write_bytes(text.encode() if isinstance(text, str) else text)
    return dataclasses.replace(spec, split_file=split_file)


def only_problem(spec: SplitSpec) -> tuple[str, str]:
    _, problems = pair_files(spec)
    assert len(problems) == 1, problems
    return problems[0].kind, str(problems[0])


def test_as_suffixes():
    assert as_suffixes(".png") == (".png",)
    assert as_suffixes([".png", ".jpg"]) == (".png", ".jpg")


def test_pairs_by_stem_in_sub_folders_too(spec):
    pairs, problems = pair_files(spec)
    assert problems == []
    assert [pair.stem for pair in pairs] == ["a", "b", "build2/a"]
    for pair in pairs:
        assert pair.image == spec.image_dir / f"{pair.stem}.png"
        assert pair.mask == spec.mask_dir / f"{pair.stem}.png"


def test_without_masks_every_image_is_a_sample(spec):
    pairs, problems = pair_files(dataclasses.replace(spec, mask_dir=None))
    assert problems == []
    assert [(pair.stem, pair.mask) for pair in pairs] == [
        ("a", None),
        ("b", None),
        ("build2/a", None),
    ]


def test_folders_may_be_links(spec, tmp_path):
    for folder in (spec.image_dir, spec.mask_dir):
        elsewhere = touch(tmp_path / "elsewhere" / folder.name, "c.png")
        (folder / "linked").symlink_to(elsewhere, target_is_directory=True)
    pairs, problems = pair_files(spec)
    assert problems == []
    assert [pair.stem for pair in pairs] == ["a", "b", "build2/a", "linked/c"]


def test_several_and_longer_suffixes(tmp_path):
    spec = SplitSpec(
        "train",
        touch(tmp_path / "i", "a_cam.png", "b.jpg"),
        touch(tmp_path / "m", "a_label.png", "b_label.png"),
        img_suffixes=(".png", ".jpg", "_cam.png"),
        mask_suffix="_label.png",
    )
    pairs, problems = pair_files(spec)
    assert problems == []
    assert [(p.stem, p.image.name, p.mask.name) for p in pairs] == [
        ("a", "a_cam.png", "a_label.png"),
        ("b", "b.jpg", "b_label.png"),
    ]


@pytest.mark.parametrize("which", ["image_dir", "mask_dir"])
def test_missing_folder(spec, which):
    gone = spec.image_dir.parent / "gone"
    kind, text = only_problem(dataclasses.replace(spec, **{which: gone}))
    assert kind == "missing folder"
    assert str(gone) in text
    assert "Remedy: correct data_root or data_prefix" in text


def test_empty_split_says_what_is_there_instead(spec):
    kind, text = only_problem(
        dataclasses.replace(
            spec, image_dir=touch(spec.image_dir.parent / "other", "README"), mask_dir=None
        )
    )
    assert kind == "empty split"
    assert "no file ends with '.png' (there: 1 x no suffix)" in text


def test_image_without_mask_and_mask_without_image(spec):
    touch(spec.image_dir, "lonely.png")
    touch(spec.mask_dir, "orphan.png")
    pairs, problems = pair_files(spec)
    assert len(pairs) == 3
    assert [(p.kind, p.path.name) for p in problems] == [
        ("image without mask", "lonely.png"),
        ("mask without image", "orphan.png"),
    ]
    assert str(spec.mask_dir / "lonely.png") in problems[0].found


@pytest.mark.parametrize("name", ["c.jpg", "c.PNG"])
def test_image_of_another_suffix_is_not_dropped_silently(spec, name):
    touch(spec.image_dir, name)
    kind, text = only_problem(spec)
    assert kind == "image suffix"
    assert name in text
    assert "img_suffix" in text


def test_two_images_of_one_stem(spec):
    touch(spec.image_dir, "a.jpg")
    kind, text = only_problem(dataclasses.replace(spec, img_suffixes=(".png", ".jpg")))
    assert kind == "stem twice"
    assert "a.jpg" in text or "a.png" in text


def test_an_image_cannot_be_its_own_mask(spec):
    kind, text = only_problem(dataclasses.replace(spec, mask_dir=spec.image_dir))
    assert kind == "same folder"
    assert "seg_map_path" in text


def test_one_folder_for_both_is_fine_with_two_suffixes(tmp_path):
    folder = touch(tmp_path / "all", "a.jpg", "a.png")
    pairs, problems = pair_files(SplitSpec("train", folder, folder, (".jpg",), ".png"))
    assert problems == []
    assert [(p.image.name, p.mask.name) for p in pairs] == [("a.jpg", "a.png")]


def test_split_file_chooses_and_orders(spec):
    touch(spec.image_dir, "unlisted.png", "unlisted.jpg")
    touch(spec.mask_dir, "other.png")
    pairs, problems = pair_files(with_split_file(spec, "b\r\nbuild2/a\r\n"))
    assert problems == []
    assert [pair.stem for pair in pairs] == ["b", "build2/a"]


def test_split_file_of_windows_with_byte_order_mark(spec):
    touch(spec.image_dir, "schicht_ä.png")
    touch(spec.mask_dir, "schicht_ä.png")
    pairs, problems = pair_files(with_split_file(spec, "\ufeffa\r\nschicht_ä\r\n"))
    assert problems == []
    assert [pair.stem for pair in pairs] == ["a", "schicht_ä"]


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("", "empty split", "the split file is empty"),
        ("\n \n", "empty split", "the split file is empty"),
        ("a\n\nb\n", "split file", "line 2 is blank"),
        ("a\nb\na\n", "split file", "line 3 repeats 'a' of line 1"),
        ("a\nzzz\n", "split file", "line 2 names 'zzz', but"),
        ("a\nb.png\n", "split file", "write stems without suffix (images end with '.png')"),
        (b"\xff\xfe\xfa", "split file", "unreadable"),
    ],
)
def test_bad_split_file(spec, text, kind, told):
    found_kind, found = only_problem(with_split_file(spec, text))
    assert found_kind == kind
    assert "split.txt" in found
    assert told in found


def test_missing_split_file(spec):
    kind, text = only_problem(dataclasses.replace(spec, split_file=Path("nowhere/split.txt")))
    assert kind == "split file"
    assert "nowhere/split.txt: no such split file" in text


def test_split_file_entry_without_mask(spec):
    touch(spec.image_dir, "lonely.png")
    kind, text = only_problem(with_split_file(spec, "a\nlonely\n"))
    assert kind == "image without mask"
    assert "lonely.png" in text
