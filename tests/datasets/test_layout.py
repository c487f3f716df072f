import dataclasses
import os
from pathlib import Path

import pytest

from lwam_mm.datasets.layout import SplitSpec, as_suffixes, checked_white_level, pair_files
from lwam_mm.datasets.problem import DatasetError


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


@pytest.mark.parametrize("which", ["image_dir", "mask_dir"])
@pytest.mark.parametrize("name", ["z.png", "builds"])
def test_a_link_that_leads_nowhere_is_named(spec, which, name):
    (getattr(spec, which) / name).symlink_to("/mnt/gone/frame.png")
    pairs, problems = pair_files(spec)
    assert len(pairs) == 3
    (problem,) = problems
    assert (problem.kind, problem.path) == ("link", getattr(spec, which) / name)
    assert "links to /mnt/gone/frame.png, which does not exist" in problem.found


def test_links_in_a_circle_are_named(spec):
    (spec.image_dir / "build2" / "again").symlink_to(spec.image_dir)
    (spec.image_dir / "itself").symlink_to("itself")
    pairs, problems = pair_files(spec)
    assert [pair.stem for pair in pairs] == ["a", "b", "build2/a"]
    assert sorted((p.kind, p.path.name) for p in problems) == [
        ("link", "again"),
        ("link", "itself"),
    ]


def test_a_pipe_is_named_and_not_opened(spec):
    os.mkfifo(spec.image_dir / "c.png")
    kind, text = only_problem(spec)
    assert kind == "link"
    assert "c.png: is neither a file nor a folder" in text


def test_a_link_to_a_frame_is_a_frame(spec):
    (spec.image_dir / "c.png").symlink_to(spec.image_dir / "a.png")
    touch(spec.mask_dir, "c.png")
    pairs, problems = pair_files(spec)
    assert problems == []
    assert [pair.stem for pair in pairs] == ["a", "b", "build2/a", "c"]


def test_an_unreadable_folder_is_named(spec, monkeypatch):
    scandir = os.scandir

    def refuse(folder):
        if Path(folder).name == "build2" and Path(folder).parent.name == "images":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    _, problems = pair_files(spec)
    assert [(p.kind, p.path) for p in problems] == [
        ("unreadable folder", spec.image_dir / "build2"),
        ("mask without image", spec.mask_dir / "build2/a.png"),
    ]
    assert "Permission denied" in problems[0].found
    # With a split file it matters only where a stem is missing.
    assert pair_files(with_split_file(spec, "a\n"))[1] == []
    _, problems = pair_files(with_split_file(spec, "a\nbuild2/a\n"))
    assert [p.kind for p in problems] == ["unreadable folder", "split file"]


def test_hidden_folders_are_ignored(spec):
    touch(spec.image_dir, ".thumbnails/a.png", "build2/.cache/x.png")
    touch(spec.mask_dir, ".trash/z.png")
    pairs, problems = pair_files(spec)
    assert problems == []
    assert len(pairs) == 3


COMPOSED, DECOMPOSED = "schicht_\u00e4", "schicht_a\u0308"


@pytest.mark.parametrize(("image", "mask"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_image_and_mask_of_another_unicode_form(spec, image, mask):
    touch(spec.image_dir, f"{image}.png")
    touch(spec.mask_dir, f"{mask}.png")
    pairs, problems = pair_files(spec)
    assert len(pairs) == 3
    (problem,) = problems
    assert (problem.kind, problem.path) == ("unicode name", spec.mask_dir / f"{mask}.png")
    assert f"differs from {spec.image_dir / f'{image}.png'} only in the Unicode form" in str(
        problem
    )


def test_two_images_that_differ_in_unicode_form_only(spec):
    touch(spec.image_dir, f"{COMPOSED}.png", f"{DECOMPOSED}.png")
    touch(spec.mask_dir, f"{COMPOSED}.png")
    assert only_problem(spec)[0] == "unicode name"
    assert only_problem(dataclasses.replace(spec, mask_dir=None))[0] == "unicode name"


def test_a_split_file_of_another_unicode_form(spec):
    touch(spec.image_dir, f"{COMPOSED}.png")
    touch(spec.mask_dir, f"{COMPOSED}.png")
    kind, text = only_problem(with_split_file(spec, f"a\n{DECOMPOSED}\n"))
    assert kind == "split file"
    assert "line 2 names" in text
    assert "another Unicode form" in text
    assert "copy the stem from the image's name" in text


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\r\n \t\r\n"])
def test_blank_lines_at_the_end_of_a_split_file_do_not_count(spec, end):
    pairs, problems = pair_files(with_split_file(spec, f"b\na{end}"))
    assert problems == []
    assert [pair.stem for pair in pairs] == ["b", "a"]


@pytest.mark.parametrize("white_level", [None, 1, 4095, 65535])
def test_white_levels(white_level):
    assert checked_white_level(white_level) == white_level


@pytest.mark.parametrize("white_level", [0, -1, 65536, 4095.0, "4095", True])
def test_wrong_white_levels(white_level):
    with pytest.raises(
        DatasetError, match=r"white_level=.* is not a value of 1\.\.65535\. Remedy: "
    ):
        checked_white_level(white_level)
