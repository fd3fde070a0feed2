"""Tar archives as WebDataset has them, and writing them."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.cli.main import main
from intarsia.datasets import open_dataset
from intarsia.datasets.packing import pack
from intarsia.datasets.parts import runs
from intarsia.datasets.synthetic import write_scenes
from intarsia.errors import DataError, UsageError

SIZE = (8, 12)


def encoded(array: np.ndarray, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, form)
    return file.getvalue()


def masks(count: int, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 3, (count, *SIZE), np.uint8))


def write(path: Path, targets: list[np.ndarray], image: str = "jpg", mask: str = "mask.png", more: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for number, target in enumerate(targets):
            photo = encoded(np.full((*SIZE, 3), number, np.uint8), "JPEG" if image == "jpg" else "PNG")
            parts = {image: photo, mask: encoded(target), **({more: b"{}"} if more else {})}
            for suffix, content in parts.items():
                entry = tarfile.TarInfo(f"scene/{number:03d}.{suffix}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("image", "mask", "more"),
    [("jpg", "mask.png", "json"), ("jpg", "png", ""), ("png", "seg.png", "txt"), ("image.png", "label.png", "cls")],
)
def test_a_folder_of_shards(image: str, mask: str, more: str, tmp_path: Path) -> None:
    truth = {"train": masks(7), "val": masks(3, seed=1)}
    write(tmp_path / "train-00000.tar", truth["train"][:4], image, mask, more)
    write(tmp_path / "train-00001.tar", truth["train"][4:], image, mask, more)
    write(tmp_path / "val-00000.tar", truth["val"], image, mask, more)
    (tmp_path / "classes.txt").write_text("sky\nroad\ncar\n")
    data = open_dataset(tmp_path)
    assert (data.layout, data.space.names) == ("shards", ("sky", "road", "car"))
    assert data.notes[0] == "10 samples in 3 tar archives."
    for name, targets in truth.items():
        split = pickle.loads(pickle.dumps(data.split(name)))
        for index, target in enumerate(targets):
            photo, found = split.read(index)
            assert np.array_equal(found, target) and photo.shape == (*SIZE, 3)
    assert data.split("train").items[5].id == "train-00001/scene/001"
    assert data.split("train").shards == (4, 3)
    assert not data.check().errors


def test_one_archive_and_pictures_beside_archives(tmp_path: Path, pairs: Callable[..., Path]) -> None:
    path = write(tmp_path / "mine.tar", masks(5))
    data = open_dataset(path)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 4, "val": 1}
    assert open_dataset(pairs(masks(2))).layout == "folder", "an archive that was left beside the pictures"


def test_samples_that_are_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", masks(1), "jpg", "txt")
    with pytest.raises(DataError, match=r"a\.tar: no sample has a picture and a mask: .*found 1 picture without"):
        open_dataset(path)
    write(path, masks(1), "png", "tif")
    with pytest.raises(DataError, match=r"the sample scene/000 has no single picture and single mask .*NAME\.mask"):
        open_dataset(path)
    write(path, masks(3))
    split = open_dataset(path, val_fraction=0).splits["all"]
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"a\.tar member scene/002\.jpg: the archive has become shorter"):
        split.read(2)


def test_what_was_packed_is_what_was_there(tmp_path: Path) -> None:
    """Pictures byte for byte, targets value by value, names and colours; the same data give the same bytes."""
    source = open_dataset(write_scenes(tmp_path / "scenes", 9, size=(16, 24), seed=0))
    done = pack(source, tmp_path / "out", per_shard=3)
    pack(source, tmp_path / "again", per_shard=3)
    for name, size in done.shards.items():
        content = (tmp_path / "out" / name).read_bytes()
        assert len(content) == size and content == (tmp_path / "again" / name).read_bytes()
    packed = open_dataset(tmp_path / "out")
    assert packed.layout == "shards" and packed.space == source.space
    assert "Classes as shards.json says." in packed.notes
    for name, split in source.splits.items():
        before = {item.id: index for index, item in enumerate(split.items)}
        after = packed.split(name)
        assert {item.id.split("/", 1)[1] for item in after.items} == set(before)
        for index, item in enumerate(after.items):
            was = before[item.id.split("/", 1)[1]]
            assert item.input.load() == split.items[was].input.read_bytes()
            assert np.array_equal(after.read(index)[1], split.read(was)[1])
    assert [item.id.split("/", 1)[1] for item in packed.split("train").items] != list(
        item.id for item in source.split("train").items
    ), "neighbours are no neighbours any more"


def test_pixels_without_a_label_stay_so(tmp_path: Path, pairs: Callable[..., Path]) -> None:
    """A mask that holds nothing but one class and 255 does not become black and white."""
    root = pairs([np.where(np.eye(8, 12, dtype=bool), 255, n % 2).astype(np.uint8) for n in range(6)])
    source = open_dataset(root)
    pack(source, tmp_path / "out")
    packed = open_dataset(tmp_path / "out")
    assert packed.space == source.space
    assert packed.split("train").count().ignored == source.split("train").count().ignored > 0


def test_shards_that_are_missing_or_cut_off(tmp_path: Path) -> None:
    source = open_dataset(write_scenes(tmp_path / "scenes", 6, size=(16, 24), seed=0))
    done = pack(source, tmp_path / "out", per_shard=2)
    name = next(iter(done.shards))
    content = (tmp_path / "out" / name).read_bytes()
    (tmp_path / "out" / name).write_bytes(content[:-512])
    with pytest.raises(DataError, match=rf"{name} has {len(content) - 512:,} bytes, not {len(content):,}"):
        open_dataset(tmp_path / "out")
    (tmp_path / "out" / name).unlink()
    with pytest.raises(DataError, match=rf"{name} is missing, as shards\.json says"):
        open_dataset(tmp_path / "out")
    with pytest.raises(UsageError, match="is not empty; choose another folder"):
        pack(source, tmp_path / "out")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_scenes(tmp_path / "scenes", 5, size=(16, 24), seed=0)
    (root / "images" / "scene_000.png").write_bytes(b"no picture")
    assert main(["data", "pack", str(root), "-o", str(tmp_path / "out"), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["samples"] == 4
    assert len(told["left_out"]) == 1 and "scene_000.png" in told["left_out"][0]
    assert sum(len(split) for split in open_dataset(tmp_path / "out").splits.values()) == 4


def test_runs_of_files() -> None:
    class Piece:
        def __init__(self, shard: str) -> None:
            self.shard = shard

    assert runs([Piece("a"), Piece("a"), Piece("b")]) == (2, 1)
    assert runs([Path("a"), Path("b")]) == ()
