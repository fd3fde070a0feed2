"""Manifests: CSV and JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intarsia.datasets import open_dataset
from intarsia.errors import DataError

MASK = np.tile(np.repeat(np.array([0, 1], np.uint8), 6), (8, 1))


@pytest.fixture
def files(write: Callable[..., Path], tmp_path: Path) -> Path:
    """Three images and masks that lie apart."""
    for name in "abc":
        write(f"photos/{name}.jpg")
        write(f"labels/deep/{name}_truth.png", MASK)
    return tmp_path


def lines(*rows: tuple[str, ...], delimiter: str = ",") -> str:
    return "\n".join(delimiter.join(row) for row in rows) + "\n"


ROWS = (
    ("photos/a.jpg", "labels/deep/a_truth.png", "train"),
    ("photos/b.jpg", "labels/deep/b_truth.png", "validation"),
    ("photos\\c.jpg", "labels\\deep\\c_truth.png", "train"),
)


@pytest.mark.parametrize("form", ["csv", "semicolons", "jsonl", "named"])
def test_every_form_reads_alike(form: str, files: Path) -> None:
    header = ("image", "mask", "split")
    path = files / "manifest.csv"
    if form == "csv":
        path.write_text("\ufeff" + lines(("Image", "Mask", "Split"), *ROWS), encoding="utf-8")
    elif form == "semicolons":
        path.write_text(lines(("id", *header), *(("1", *row) for row in ROWS), delimiter=";"))
    elif form == "jsonl":
        path = files / "manifest.jsonl"
        path.write_text("\n\n".join(json.dumps(dict(zip(header, row, strict=True))) for row in ROWS))
    else:
        path = files / "mine.csv"
        path.write_text(lines(header, *ROWS))
    data = open_dataset(path if form == "named" else files)
    assert data.layout == "manifest"
    assert {name: [item.id for item in split.items] for name, split in data.splits.items()} == {
        "train": ["photos/a", "photos/c"],
        "val": ["photos/b"],
    }
    assert np.array_equal(data.split("val").read(0)[1], MASK)


def test_without_splits_it_is_divided(files: Path) -> None:
    (files / "manifest.csv").write_text(lines(("image", "mask"), *(row[:2] for row in ROWS)))
    assert {name: len(split) for name, split in open_dataset(files).splits.items()} == {"train": 2, "val": 1}


def test_lines_without_a_mask_and_lines_again(files: Path) -> None:
    rows = (*ROWS, ("photos/a.jpg", "labels/deep/b_truth.png", "train"), ("photos/d.jpg", "", ""))
    (files / "manifest.csv").write_text(lines(("image", "mask", "split"), *rows))
    data = open_dataset(files)
    assert len(data) == 3
    assert data.unpaired_images == (files / "photos/d.jpg",)
    assert any("Line 5 of manifest.csv names photos/a.jpg again (line 2)" in note for note in data.notes)


def test_the_same_stem_twice(write: Callable[..., Path], files: Path) -> None:
    write("photos/a.png")
    rows = (ROWS[0], ("photos/a.png", "labels/deep/b_truth.png", "train"))
    (files / "manifest.csv").write_text(lines(("image", "mask", "split"), *rows))
    items = open_dataset(files, val_fraction=0).split("train").items
    assert [item.id for item in items] == ["photos/a.jpg", "photos/a.png"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("csv", "scan,mask\na,b\n", "no column is named 'image'"),
        ("csv", "", "no column is named 'image'"),
        ("csv", "image,mask,split\n", "no line names an image and its mask"),
        ("csv", "image,mask\n../a.jpg,b.png\n", r"line 2: image '../a.jpg' leads out"),
        ("csv", "image,mask\n/a.jpg,b.png\n", r"line 2: image '/a.jpg' leads out"),
        ("csv", "image,mask\nC:\\a.jpg,b.png\n", "line 2: image .* leads out"),
        ("csv", "image,mask\na.jpg,x/../../b.png\n", "line 2: mask .* leads out"),
        ("csv", "image,mask\n,b.png\n", "line 2: it names no image"),
        ("csv", "image,mask,split\na.jpg,b.png,trian\n", "line 2: no split is named 'trian'. Did you mean 'train'"),
        ("csv", b"image,mask\n\xff\xfe,b\n", "not UTF-8 text"),
        ("csv", "image,mask\n" + "a" * 200_000 + ",b\n", "broken CSV"),
        ("jsonl", '{"image": "a"\n', "line 1: broken JSON"),
        ("jsonl", "[1]\n", "line 1: not an object"),
        ("jsonl", '{"image": 5, "mask": "a"}\n', "line 1: image is not a text"),
        ("jsonl", '{"scan": "a", "mask": "a"}\n', "no column is named 'image'"),
        ("jsonl", "[" * 100_000, "line 1: broken JSON"),
        ("csv", "image,mask\nphotos/a.jpg,absent.png\n", "none of the 1 masks can be read"),
    ],
)
def test_broken_manifests(name: str, text: str | bytes, message: str, files: Path) -> None:
    path = files / f"manifest.{name}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=message):
        open_dataset(files)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(["csv", "jsonl"]),
    content=st.binary(max_size=80) | st.text('image,mask\n"\\{}[]:;./ 0\0', max_size=80).map(str.encode),
    header=st.booleans(),
)
def test_any_content_parses_or_says_why(suffix: str, content: bytes, header: bool, tmp_path: Path) -> None:
    path = tmp_path / f"any.{suffix}"
    path.write_bytes((b"image,mask,split\n" if header and suffix == "csv" else b"") + content)
    with pytest.raises(DataError):  # no file that it could name exists
        open_dataset(path)


def test_absolute_paths_inside_the_folder_are_fine(files: Path) -> None:
    (files / "manifest.csv").write_text(f"image,mask\n{files}/photos/a.jpg,{files}/photos/../labels/deep/a_truth.png\n")
    assert len(open_dataset(files, val_fraction=0)) == 1


def test_what_a_job_left_is_neither_manifest_nor_labels(write: Callable[..., Path], tmp_path: Path) -> None:
    record = {"status": "done", "medium": "picture", "outputs": {"labels": "b.mask.png", "overlay": "b.overlay.jpg"}}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(record) + '\n{"status": "do')
    mask = np.eye(8, 12, dtype=np.uint8)
    for name in ("a.jpg", "b.jpg", "b.overlay.jpg"):
        write(name)
    write("a_mask.png", mask)
    write("b.mask.png", mask)
    data = open_dataset(tmp_path, val_fraction=0)
    assert [item.id for item in data.splits["all"].items] == ["a"]
    assert any("segment left here are no labels, and are left out: 2 files" in note for note in data.notes)
    (tmp_path / "manifest.jsonl").unlink()
    assert len(open_dataset(tmp_path)) == 2


def test_a_table_of_other_things_is_no_manifest(write: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("shop,price\na,1\n")
    write("images/a.png")
    write("masks/a.png", np.eye(8, 12, dtype=np.uint8))
    assert open_dataset(tmp_path, val_fraction=0).layout == "folder"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("data.tsv", "image\tmask\tsplit"),
        ("pairs.csv", "image_path,mask_path,subset"),
        ("dataset.csv", "Img;Label File;Split"),
        ("list.txt", "image,mask,split"),
    ],
)
def test_a_table_of_any_name_with_these_columns_is_read(files: Path, name: str, header: str) -> None:
    mark = next(mark for mark in "\t;," if mark in header)
    (files / name).write_text(header + "\n" + lines(*ROWS, delimiter=mark))
    data = open_dataset(files)
    assert (data.layout, {key: len(split) for key, split in data.splits.items()}) == (
        "manifest",
        {"train": 2, "val": 1},
    )
    assert f"Images and masks are those that {name} lists (--layout folder passes it over)." in data.notes
    (files / "other.csv").write_text("image,mask\n" + lines(*(row[:2] for row in ROWS)))
    with pytest.raises(DataError, match="which one counts"):
        open_dataset(files)


def test_tables_that_are_called_after_splits(files: Path) -> None:
    (files / "train.csv").write_text("image,mask\n" + lines(*(row[:2] for row in ROWS[:2])))
    (files / "val.csv").write_text("image,mask\n" + lines(ROWS[2][:2]))
    data = open_dataset(files)
    assert {key: len(split) for key, split in data.splits.items()} == {"train": 2, "val": 1}


def test_a_table_whose_images_are_elsewhere_is_told(write: Callable[..., Path], tmp_path: Path) -> None:
    write("images/a.png")
    write("masks/a.png", MASK)
    (tmp_path / "data.csv").write_text("image,mask\nfar/a.png,far/b.png\n")
    data = open_dataset(tmp_path)
    assert data.layout == "folder" and any(
        "data.csv has columns of images and masks, but" in note for note in data.notes
    )


def test_a_table_of_points_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "scan.csv").write_text("X,Y,Z,class\n1,2,3,0\n")
    with pytest.raises(DataError, match=r"scan\.csv: is a table of points: name the folder that it lies in"):
        open_dataset(tmp_path / "scan.csv")


@pytest.mark.parametrize("cell", [".", "./", "a/.."])
def test_the_folder_itself_is_no_file(tmp_path: Path, cell: str) -> None:
    (tmp_path / "t.csv").write_text(f"image,mask\n{cell},{cell}\n")
    with pytest.raises(DataError, match=r"t\.csv line 2: image '.*' is the folder itself; name a file in it"):
        open_dataset(tmp_path / "t.csv")
