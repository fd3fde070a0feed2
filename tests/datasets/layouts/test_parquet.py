"""Parquet tables as on the Hugging Face hub."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from intarsia.datasets import open_dataset
from intarsia.datasets.layouts import parquet
from intarsia.errors import DataError, UsageError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

SIZE = (8, 12)


def encoded(array: np.ndarray, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, form)
    return file.getvalue()


def rows(count: int, seed: int = 0) -> list[tuple[bytes, np.ndarray]]:
    random = np.random.default_rng(seed)
    return [
        (encoded(random.integers(0, 256, (*SIZE, 3), np.uint8), "JPEG"), random.integers(0, 3, SIZE, np.uint8))
        for _ in range(count)
    ]


def write(path: Path, pairs: list[tuple[bytes, np.ndarray]], *, plain: bool = False, image: str = "image",
          mask: str = "mask", group: int = 4) -> Path:  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [photo if plain else {"bytes": photo, "path": f"{n}.jpg"} for n, (photo, _) in enumerate(pairs)]
    masks = [encoded(m) if plain else {"bytes": encoded(m), "path": None} for _, m in pairs]
    pq.write_table(pa.table({"id": list(range(len(pairs))), image: images, mask: masks}), path, row_group_size=group)
    return path


@pytest.mark.parametrize("plain", [False, True])
def test_a_folder_of_tables(plain: bool, tmp_path: Path) -> None:
    train, val = rows(10), rows(3, seed=1)
    write(tmp_path / "data/train-00000-of-00001.parquet", train, plain=plain)
    write(tmp_path / "data/validation-00000-of-00001.parquet", val, plain=plain)
    (tmp_path / "id2label.json").write_text(json.dumps({"0": "sky", "1": "road", "2": "car"}))
    data = open_dataset(tmp_path)
    assert (data.layout, data.space.names) == ("parquet", ("sky", "road", "car"))
    assert data.notes[0] == "13 rows of 2 Parquet files, columns image and mask."
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 10, "val": 3}
    for split, truth in (("train", train), ("val", val)):
        for index, (_, target) in enumerate(truth):
            image, found = data.split(split).read(index)
            assert np.array_equal(found, target) and image.shape == (*SIZE, 3)
    assert data.split("train").items[5].id == "data/train-00000-of-00001/000005"
    assert not data.check().errors


def test_one_file_with_other_names(tmp_path: Path) -> None:
    path = write(tmp_path / "scenes.parquet", rows(5), image="pixel_values", mask="label")
    data = open_dataset(path)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 4, "val": 1}


def test_rows_in_order_read_each_group_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet", rows(12))
    data = open_dataset(path, val_fraction=0)
    parquet._recent.clear()
    seen = []
    original = parquet._read_column
    monkeypatch.setattr(parquet, "_read_column", lambda *a: seen.append(a[2:]) or original(*a))
    for index in range(12):
        data.splits["all"].read(index)
    assert sorted(seen) == sorted((group, column) for group in range(3) for column in ("image", "mask"))
    parquet._recent.clear()
    monkeypatch.setattr(parquet, "_KEPT_BYTES", 1)
    for index in range(12):
        data.splits["all"].read(index)
    assert len(parquet._recent) == 1, "no more than the latest is kept beyond the limit"


def test_a_split_can_be_sent_to_another_process(tmp_path: Path) -> None:
    data = open_dataset(write(tmp_path / "a.parquet", rows(3)), val_fraction=0)
    again = pickle.loads(pickle.dumps(data.splits["all"]))
    assert np.array_equal(again.read(2)[1], data.splits["all"].read(2)[1])


def test_a_table_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    import os

    path = write(tmp_path / "a.parquet", rows(3))
    split = open_dataset(path, val_fraction=0).splits["all"]
    before = split.read(0)[1]
    write(path, rows(3, seed=9))
    os.utime(path, ns=(1, 1))
    assert not np.array_equal(split.read(0)[1], before)


def test_wrong_tables(tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match=r"broken\.parquet: not a Parquet file, or damaged"):
        open_dataset(broken)
    path = tmp_path / "text.parquet"
    pq.write_table(pa.table({"image": ["a"], "mask": ["b"]}), path)
    with pytest.raises(DataError, match=r"no column of pictures is called image .*it has image \(string\)"):
        open_dataset(path)
    pq.write_table(pa.table({"image": pa.array([], pa.binary()), "mask": pa.array([], pa.binary())}), path)
    with pytest.raises(DataError, match="the table has no rows"):
        open_dataset(path)
    photo, target = rows(1)[0]
    pq.write_table(pa.table({"image": [photo, photo], "mask": [encoded(target), None]}), path)
    split = open_dataset(path, val_fraction=0).splits["all"]
    with pytest.raises(DataError, match="column mask row group 1 row 2: the cell holds no picture"):
        split.read(1)
    pq.write_table(pa.table({"image": [b"no picture"], "mask": [encoded(target)]}), path)
    with pytest.raises(DataError, match=r"text\.parquet column image row group 1 row 1.*it looks like a text file"):
        open_dataset(path, val_fraction=0).splits["all"].read(0)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), cut=st.integers(0, 40))
def test_any_damage_parses_or_says_why(place: float, value: int, cut: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", rows(2), plain=True)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] = value
    path.write_bytes(content[: len(content) - cut])
    try:
        split = open_dataset(path, val_fraction=0).splits["all"]
        for index in range(len(split)):
            split.read(index)
    except DataError:
        pass


def test_without_pyarrow_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    path = write(tmp_path / "a.parquet", rows(1))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match=r"intarsia\[parquet\]"):
        open_dataset(path)
