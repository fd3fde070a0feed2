"""What makes a medium differ stands in its row: one that the package does not know is treated by what its row says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from intarsia.errors import UsageError
from intarsia.media.medium import CLOUD, MEDIA, PICTURE, RASTER, VIDEO, VOLUME, Medium, check_options, expand
from intarsia.media.source import as_rgb

SOUND = Medium(
    "sound", "sounds", "sample", "rows", "sound", (".wav",),
    sniff=lambda name: Path(name).read_bytes().startswith(b"RIFF"), open=lambda source, preprocessing, options: source,
    labels=lambda path: ".txt", takes=frozenset({"rate", "pieces"}), outputs=("labels",),
)  # fmt: skip


def _found(folder: Path, medium: Medium) -> list[str]:
    return [item.name.name for item in expand(folder, media=(medium, *MEDIA)).items if item.medium is medium]


def _write(folder: Path, **contents: bytes) -> None:
    for name, content in contents.items():
        (folder / f"{name}.wav").write_bytes(content)


def test_a_damaged_file_counts_where_its_suffix_is_enough(tmp_path: Path) -> None:
    _write(tmp_path, good=b"RIFF", bad=b"nothing")
    assert _found(tmp_path, SOUND) == ["good.wav"]
    assert _found(tmp_path, replace(SOUND, by_name=True)) == ["bad.wav", "good.wav"]


def test_a_suffix_that_others_share_is_looked_into(tmp_path: Path) -> None:
    _write(tmp_path, a=b"RIFF")
    (tmp_path / "a.dcm").write_bytes(b"RIFF")
    shared = replace(SOUND, suffixes=(".wav", ".dcm"), by_name=True)
    assert _found(tmp_path, shared) == ["a.dcm", "a.wav"]
    assert _found(tmp_path, replace(shared, alone=lambda file: False)) == ["a.wav"]


def test_a_folder_that_is_one_source(tmp_path: Path) -> None:
    _write(tmp_path, a=b"RIFF")
    album = replace(SOUND, folder=lambda folder: (folder / "a.wav").exists())
    assert _found(tmp_path, album) == ["a.wav"]
    assert _found(tmp_path, replace(album, folder_first=True)) == [tmp_path.name]


def test_what_becomes_another_medium_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^rate is for sounds, not for pictures$"):
        check_options(PICTURE, ["rate"], media=(SOUND, *MEDIA))
    pieces = replace(SOUND, sequence="pieces")
    with pytest.raises(UsageError, match=r"not for pictures; a folder of frames becomes a sound by --pieces$"):
        check_options(PICTURE, ["rate"], media=(pieces, *MEDIA), spell=lambda name: f"--{name}")
    with pytest.raises(UsageError, match=r"^limit is for videos, not for pictures; a folder of frames becomes a video"):
        check_options(PICTURE, ["limit"])


@pytest.mark.parametrize(
    ("medium", "reader", "size"),
    [
        (PICTURE, {"width": 4, "height": 3}, (4, 3)),
        (RASTER, {"width": 4, "height": 3}, (4, 3)),
        (VOLUME, {"grid": SimpleNamespace(shape=(4, 3, 2))}, (4, 3, 2)),
        (CLOUD, {"count": 7}, (7,)),
    ],
)
def test_the_sides_of_an_opened_one(medium: Medium, reader: dict[str, Any], size: tuple[int, ...]) -> None:
    assert medium.size(SimpleNamespace(**reader)) == size


def test_what_only_some_media_are() -> None:
    assert {one.name for one in MEDIA if one.parted} == {"raster", "video", "cloud"}
    assert [one.name for one in MEDIA if one.light] == ["picture"]
    assert [one.name for one in MEDIA if one.photographic] == ["picture"]
    assert [one for one in MEDIA if not one.by_name] == [VIDEO, CLOUD]


@pytest.mark.parametrize(("medium", "shown"), [("picture", (0, 1, 2)), ("raster", (0, 1, 2)), ("volume", (2, 2, 2))])
def test_the_channels_that_people_see(medium: Any, shown: tuple[int, ...]) -> None:
    samples = np.broadcast_to(np.arange(5, dtype=np.uint8), (2, 3, 5))
    assert np.array_equal(as_rgb(samples, medium), np.broadcast_to(np.array(shown, np.uint8), (2, 3, 3)))
