"""The integrity check finds what was broken on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.datasets import ReadOptions, open_dataset
from intarsia.datasets.checks.report import Problem, Report

Write = Callable[..., Path]


def stripes(*values: int) -> np.ndarray:
    return np.tile(np.repeat(np.array(values, np.uint8), -(-12 // len(values)))[:12], (8, 1))


def photo(seed: int) -> np.ndarray:
    """A picture with coarse structure, so that it survives small changes."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((48, 32)))


def kinds(problems: list[Problem]) -> list[tuple[str, str]]:
    return sorted((problem.kind, problem.file) for problem in problems)


@pytest.fixture
def clean(write: Write, tmp_path: Path) -> Path:
    for split, numbers in (("train", (0, 1, 2)), ("val", (3, 4))):
        for number in numbers:
            write(f"{split}/images/{number}.png", photo(number))
            write(f"{split}/masks/{number}.png", np.kron(stripes(0, 1, 2), np.ones((4, 4), np.uint8)))
    (tmp_path / "classes.txt").write_text("sky\nroad\ncar\n")
    return tmp_path


def report_of(root: Path, **options: object) -> Report:
    return open_dataset(root, **options).check()


def test_a_clean_data_set(clean: Path) -> None:
    calls: list[tuple[int, int]] = []
    report = open_dataset(clean).check(progress=lambda done, total: calls.append((done, total)))
    assert report.problems == []
    assert calls == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert dict(report.values) == {0: 5 * 512, 1: 5 * 512, 2: 5 * 512}
    assert dict(report.kinds) == {"index": 5}
    assert dict(report.sizes) == {(48, 32): 5}
    assert report.counts["train"].shares.tolist() == pytest.approx([1 / 3] * 3)
    assert report.counts["train"].median_frequency_weights().tolist() == pytest.approx([1.0] * 3)
    text = report.to_text()
    assert "Errors: none" in text
    assert "Warnings: none" in text
    assert "Stored values: 0 33.3%, 1 33.3%, 2 33.3%" in text


def test_broken_files(clean: Path) -> None:
    (clean / "train/images/0.png").write_bytes(b"")
    broken = clean / "train/masks/1.png"
    broken.write_bytes(broken.read_bytes()[:60])
    Image.fromarray(stripes(0, 1)).save(clean / "val/masks/3.png")
    Image.fromarray(np.kron(stripes(0, 40), np.ones((4, 4), np.uint8))).save(clean / "val/masks/4.png")
    report = open_dataset(clean, ReadOptions(ignore=[40])).check()
    assert kinds(report.errors) == [
        ("image that cannot be read", "train/images/0.png"),
        ("mask of another size than its image", "val/masks/3.png"),
        ("mask that cannot be read", "train/masks/1.png"),
    ]
    details = {problem.file: problem.detail for problem in report.errors}
    assert "0 bytes" in details["train/images/0.png"] or "empty" in details["train/images/0.png"]
    assert details["val/masks/3.png"].startswith("the mask is 12x8 pixels, its image 48x32, the same shape")
    assert "3 x" not in report.to_text()


def test_values_without_a_class(clean: Path) -> None:
    data = open_dataset(clean)
    Image.fromarray(np.kron(stripes(0, 40), np.ones((4, 4), np.uint8))).save(clean / "val/masks/4.png")
    report = data.check()
    assert report.errors == [
        Problem("error", "mask that does not fit the classes", "val/masks/4.png", "value 40 (768 pixels); known: 0-2")
    ]
    assert report.counts["val"].outside == 768
    colored = np.zeros((32, 48, 3), np.uint8)
    colored[:, 9:] = (200, 0, 0)
    Image.fromarray(colored).save(clean / "val/masks/4.png")
    report = data.check()
    assert kinds(report.errors) == [("mask that does not fit the classes", "val/masks/4.png")]
    assert "colour-coded" in report.errors[0].detail
    assert report.kinds["colour-coded"] == 1


def test_leakage_and_duplicates(clean: Path) -> None:
    Image.fromarray(photo(0)).save(clean / "val/images/3.png")  # train/0 exactly
    Image.fromarray(photo(1)).save(clean / "val/images/4.jpg", quality=90)  # train/1 as JPEG
    (clean / "val/images/4.png").unlink()
    Image.fromarray(photo(0)).save(clean / "train/images/2.png")
    report = report_of(clean)
    assert kinds(report.warnings) == [
        ("picture of train that is also in val", "val/images/3.png"),
        ("picture of val much like one of train", "val/images/4.jpg"),
        ("picture that occurs twice", "train/images/2.png"),
    ]
    assert not report.errors
    details = {problem.file: problem.detail for problem in report.warnings}
    assert details["val/images/4.jpg"] == "nearly the same picture as train/images/1.png in train"
    assert details["train/images/2.png"] == "the same as train/images/0.png"


def test_twins_with_different_masks(clean: Path) -> None:
    Image.fromarray(photo(0)).save(clean / "train/images/2.png")
    Image.fromarray(np.zeros((32, 48), np.uint8)).save(clean / "train/masks/2.png")
    (found,) = report_of(clean).warnings
    assert found.detail == "the same as train/images/0.png, and their masks differ"


def test_classes_that_are_missing(clean: Path) -> None:
    (clean / "classes.txt").write_text("sky\nroad\ncar\nbike\n")
    for number in range(3):
        Image.fromarray(np.kron(stripes(0, 1), np.ones((4, 4), np.uint8))).save(clean / f"train/masks/{number}.png")
    report = report_of(clean)
    assert [(problem.kind, problem.detail.split(":")[0]) for problem in report.warnings] == [
        ("class that train lacks", "car"),
        ("class that never occurs", "bike"),
    ]
    assert report.counts["train"].median_frequency_weights().tolist() == pytest.approx([1, 1, 0, 0])


def test_ignored_pixels(clean: Path) -> None:
    for number in range(3):
        Image.fromarray(np.kron(stripes(0, 255, 255), np.ones((4, 4), np.uint8))).save(
            clean / f"train/masks/{number}.png"
        )
    Image.fromarray(np.full((32, 48), 255, np.uint8)).save(clean / "train/masks/0.png")
    report = report_of(clean)
    assert report.counts["train"].ignored_share == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert ("mask without any labelled pixel", "train/masks/0.png") in kinds(report.warnings)
    assert "78% of the pixels of train carry no label" in report.to_text()


def test_exif_and_leftovers(clean: Path, write: Write) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    (clean / "train/images/0.png").unlink()
    write("train/images/0.jpg", photo(0), exif=exif)
    write("train/images/extra.png")
    write("val/masks/alone.png", stripes(0, 1))
    assert kinds(report_of(clean).warnings) == [
        ("image with an EXIF rotation", "train/images/0.jpg"),
        ("image without mask", "train/images/extra.png"),
        ("mask without image", "val/masks/alone.png"),
    ]


def test_binary_and_jpeg_masks_are_counted(write: Write, tmp_path: Path) -> None:
    for number in range(2):
        write(f"images/{number}.png", photo(number))
    write("masks/0.png", np.kron(stripes(0, 255), np.ones((4, 4), np.uint8)))
    write("masks/1.jpg", np.kron(stripes(0, 255), np.ones((4, 4), np.uint8)), quality=50)
    report = report_of(tmp_path, val_fraction=0)
    assert report.kinds["binary 0/255"] >= 1
    assert report.kinds["JPEG"] == 1
    assert report.counts["all"].pixels.tolist() == [2 * 768, 2 * 768]


def test_json_is_plain(clean: Path) -> None:
    (clean / "train/images/0.png").write_bytes(b"x")
    value = json.loads(json.dumps(report_of(clean).to_json()))
    assert value["errors"][0]["file"] == "train/images/0.png"
    assert value["splits"]["train"]["classes"][1]["name"] == "road"
    assert value["suggested_weights"]["sqrt_median_frequency"] == [1.0, 1.0, 1.0]
    assert value["mask_values"] == {"0": 2560, "1": 2560, "2": 2560}


def test_long_lists_are_shortened_in_text_only(clean: Path, write: Write) -> None:
    for number in range(10):
        write(f"train/images/more_{number}.png")
    report = report_of(clean)
    assert "10 x image without mask" in report.to_text()
    assert "... and 7 more (all of them: --json)" in report.to_text()
    assert len(report.to_json()["warnings"]) == 10


def test_class_frequencies_of_eigen_and_fergus(write: Write, tmp_path: Path) -> None:
    write("images/0.png")
    write("images/1.png")
    write("masks/0.png", stripes(0, 0, 0, 1))  # 72 of class 0, 24 of class 1
    write("masks/1.png", stripes(0, 0))
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    split = open_dataset(tmp_path, val_fraction=0).splits["all"]
    assert split.count().frequencies.tolist() == pytest.approx([168 / 192, 24 / 96, 0])


def test_labelme_is_checked_too(tmp_path: Path) -> None:
    for name in "ab":
        Image.fromarray(photo(ord(name))).save(tmp_path / f"{name}.png")
        shape = {"label": "car", "shape_type": "rectangle", "points": [[0, 0], [23, 31]]}
        (tmp_path / f"{name}.json").write_text(json.dumps({"shapes": [shape], "imagePath": f"{name}.png"}))
    (tmp_path / "b.json").write_text("{")
    report = open_dataset(tmp_path, val_fraction=0).check()
    assert kinds(report.errors) == [("annotation file that cannot be used", "")]
    assert "b.json: broken JSON" in report.errors[0].detail
    assert report.kinds == {"outlines": 1}
    assert report.counts["all"].shares.tolist() == [0.5, 0.5]


def test_a_class_that_stands_alone_is_told(write: Write, tmp_path: Path) -> None:
    for number in range(3):
        write(f"images/{number}.png", photo(number))
        write(f"masks/{number}.png", np.zeros((32, 48), np.uint8))
    (tmp_path / "classes.txt").write_text("wall\nfloor\n")
    found = {problem.kind: problem for problem in open_dataset(tmp_path).check().problems}
    assert found["one class alone"].detail.startswith("wall: every labelled pixel has it")
    write("masks/1.png", np.kron(stripes(0, 1), np.ones((4, 4), np.uint8)))
    assert "one class alone" not in {problem.kind for problem in open_dataset(tmp_path).check().problems}


@pytest.mark.parametrize(("usual", "told"), [(12, True), (6, False)])
def test_left_and_right_the_other_way_round(write: Write, tmp_path: Path, usual: int, told: bool) -> None:
    """Of pictures that agree, the one that does not is told; where they do not agree, nothing is."""
    for number in range(13):
        left, right = (1, 2) if number < usual else (2, 1)
        write(f"train/images/{number:02}.png", photo(number))
        write(f"train/masks/{number:02}.png", np.kron(stripes(0, left, 0, right), np.ones((4, 4), np.uint8)))
    (tmp_path / "classes.txt").write_text("skin\nright_eye\nleft_eye\n")
    found = [one for one in report_of(tmp_path).warnings if one.kind == "left and right the other way round"]
    assert [one.file for one in found] == (["train/masks/12.png"] if told else [])
    if told:
        assert found[0].detail.startswith("left_eye lies left of right_eye, which 92 % of the masks have the other way")
