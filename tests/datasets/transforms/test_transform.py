from lwam_mm.datasets.transforms.paste_defect import PasteDefect


def test_a_transform_is_shown_with_its_arguments_alone():
    assert repr(PasteDefect(classes=[1, 3], prob=0.2)) == (
        "PasteDefect(classes=(1, 3), prob=0.2, scale=(0.7, 1.4), min_pixels=12)"
    )
