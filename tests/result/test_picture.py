"""Segmentation and MaskWriter: values, colours, and files that are whole or not there."""

from __future__ import annotations

import io
import os
import signal
import struct
import subprocess
import sys
import tempfile
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace
from intarsia.media.png import MaskWriter, encode_mask
from intarsia.result import Segmentation
from intarsia.result.renders import blend

SPACE = LabelSpace(("road", "sky", "car"), ((10, 20, 30), (200, 100, 0), (255, 255, 255)))
MANY = LabelSpace(tuple(f"c{i}" for i in range(300)))
LABELS = np.array([[0, 0, 1, 255], [0, 0, 1, 255]], dtype=np.uint8)


def test_sizes_masks_and_areas() -> None:
    result = Segmentation(LABELS, SPACE)
    assert (result.height, result.width) == (2, 4)
    assert result["sky"].tolist() == [[False, False, True, False]] * 2
    assert not result["car"].any()
    assert result.areas() == {"road": 0.5, "sky": 0.25}
    assert list(result.areas()) == ["road", "sky"]
    with pytest.raises(UsageError, match="Did you mean 'road'"):
        result["raod"]


def test_colors() -> None:
    picture = Segmentation(LABELS, SPACE).colors()
    assert picture.mode == "RGB"
    assert np.asarray(picture)[0].tolist() == [[10, 20, 30], [10, 20, 30], [200, 100, 0], [0, 0, 0]]


def test_overlay_blends_and_keeps_unlabelled_pixels() -> None:
    photo = np.full((2, 4, 3), 100, dtype=np.uint8)
    result = Segmentation(LABELS, SPACE, image=photo)
    assert np.asarray(result.overlay())[0].tolist() == [[55, 60, 65], [55, 60, 65], [150, 100, 50], [100, 100, 100]]
    assert np.array_equal(result.overlay(0), photo)
    assert np.asarray(result.overlay(1))[0].tolist() == [[10, 20, 30], [10, 20, 30], [200, 100, 0], [100, 100, 100]]
    other = Image.new("L", (4, 2), 0)
    assert np.asarray(result.overlay(1, other))[0, 3].tolist() == [0, 0, 0]


@given(st.integers(0, 255), st.integers(0, 255), st.floats(0, 1))
def test_blend_is_within_one_level_of_the_exact_mix(photo: int, color: int, opacity: float) -> None:
    space = LabelSpace(("a",), ((color, color, color),))
    mixed = blend(np.full((1, 1, 3), photo, np.uint8), np.zeros((1, 1), np.uint8), space, opacity)
    assert abs(int(mixed[0, 0, 0]) - (photo * (1 - opacity) + color * opacity)) <= 1


@pytest.mark.parametrize("opacity", [0, 0.1, 0.25, 0.5, 0.7, 1])
def test_blend_rounds_halves_up(opacity: float) -> None:
    """Every grey of a photo with every grey of a class."""
    space = LabelSpace(tuple(f"c{grey}" for grey in range(255)), tuple((grey, grey, grey) for grey in range(255)))
    labels, photo = np.meshgrid(np.arange(255, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    weight = round(opacity * 256)
    expected = (photo.astype(int) * (256 - weight) + labels.astype(int) * weight + 128) >> 8
    assert np.array_equal(blend(np.dstack([photo] * 3), labels, space, opacity)[..., 1], expected)


def test_more_classes_than_a_byte_holds_are_drawn_and_counted() -> None:
    labels = np.array([[0, 299], [65535, 299]], np.uint16)
    result = Segmentation(labels, MANY, image=np.full((2, 2, 3), 7, np.uint8))
    assert np.array_equal(np.asarray(result.overlay(1))[0, 1], MANY.palette[299])
    assert np.asarray(result.overlay(1))[1, 0].tolist() == [7, 7, 7]
    assert np.flatnonzero(result.counts()).tolist() == [0, 299, 65535] and result.counts()[299] == 2


def test_counts_are_those_of_every_label() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (70, 33), dtype=np.uint8)
    labels[3, 5:9] = 255
    assert np.array_equal(Segmentation(labels, SPACE).counts(), np.bincount(labels.ravel(), minlength=256))
    assert Segmentation(labels[:, ::2], SPACE).counts().sum() == 70 * 17
    assert Segmentation(labels[:0], SPACE).counts().tolist() == [0] * 256


def test_blend_bands_join_without_a_seam() -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (150, 7, 3), dtype=np.uint8)
    labels = rng.integers(0, 3, (150, 7), dtype=np.uint8)
    parts = [blend(photo[i : i + 11], labels[i : i + 11], SPACE) for i in range(0, 150, 11)]
    assert np.array_equal(blend(photo, labels, SPACE), np.concatenate(parts))


def test_overlay_messages() -> None:
    result = Segmentation(LABELS, SPACE)
    with pytest.raises(UsageError, match=r"does not hold its photo; pass it: render\('overlay', image=photo\)"):
        result.overlay()
    with pytest.raises(
        DataError, match=r"the photo must be \(2, 4, 3\) uint8 like its labels, this one is \(3, 4, 3\)"
    ):
        result.overlay(image=np.zeros((3, 4, 3), dtype=np.uint8))
    with pytest.raises(UsageError, match=r"between 0 \(photo only\) and 1"):
        result.overlay(2.0, np.zeros((2, 4, 3), dtype=np.uint8))


def test_parts_that_do_not_fit() -> None:
    with pytest.raises(DataError, match=r"labels must be \(H, W\) of uint8 .*, these are \(2, 4\) of int64"):
        Segmentation(LABELS.astype(np.int64), SPACE)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"confidence \(1, 4\) and labels \(2, 4\) differ in size"):
        Segmentation(LABELS, SPACE, confidence=np.zeros((1, 4), dtype=np.float16))
    with pytest.raises(DataError, match="the photo must be"):
        Segmentation(LABELS, SPACE, image=np.zeros((4, 2, 3), dtype=np.uint8))


@pytest.mark.parametrize("wrong", [3, 254])
def test_labels_outside_the_label_space(tmp_path: Path, wrong: int) -> None:
    labels = LABELS.copy()
    labels[1, 0] = wrong
    result = Segmentation(labels, SPACE, image=np.zeros((2, 4, 3), dtype=np.uint8))
    message = rf"label {wrong} is outside the label space, whose classes are 0\.\.2 and 255 for unlabelled"
    with pytest.raises(DataError, match=message):
        result.save(tmp_path / "mask.png")
    with pytest.raises(DataError, match=message):
        result.overlay()
    with pytest.raises(DataError, match=message):
        result.colors()
    assert os.listdir(tmp_path) == []


def test_saved_mask_is_an_index_picture_in_the_palettes_colours(tmp_path: Path) -> None:
    Segmentation(LABELS, SPACE).save(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), LABELS)
        assert np.asarray(picture.convert("RGB"))[0].tolist() == SPACE.colors()[LABELS[0]].tolist()


@pytest.mark.parametrize("space", [SPACE, MANY], ids=["8-bit", "16-bit"])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_round_trip_through_pillow(space: LabelSpace, data: st.DataObject) -> None:
    values = st.one_of(st.integers(0, len(space) - 1), st.just(space.ignore_index))
    shape = arrays.array_shapes(min_dims=2, max_dims=2, max_side=150)
    labels = data.draw(arrays.arrays(space.dtype, shape, elements=values))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(labels)), max_size=4)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.png"
        with MaskWriter(path, labels.shape[1], len(labels), space) as writer:
            for top, bottom in zip([0, *cuts], [*cuts, len(labels)], strict=True):
                writer.write(labels[top:bottom])
        with Image.open(path) as picture:
            assert picture.mode == ("P" if space is SPACE else "I;16")
            assert np.array_equal(np.asarray(picture), labels)


def test_a_mask_has_the_same_bytes_however_its_rows_come() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (700, 20), dtype=np.uint8).repeat(100, axis=1)
    whole = encode_mask(labels, SPACE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.png"
        with MaskWriter(path, 2000, 700, SPACE) as writer:
            for top in range(0, 700, 37):
                rows = labels[top : top + 37].copy()
                writer.write(rows)
                rows[:] = 0  # whoever gave them may use them again
        assert path.read_bytes() == whole
    with Image.open(io.BytesIO(whole)) as picture:
        assert np.array_equal(np.asarray(picture), labels)
    data = b"".join(kept for kind, kept in _chunks(whole) if kind == b"IDAT")
    lines = np.frombuffer(zlib.decompress(data), np.uint8).reshape(700, 2001)  # its checksum is right
    assert np.array_equal(np.cumsum(lines[:, 1:], axis=0, dtype=np.uint8), labels)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + length]
        at += 12 + length


def test_writer_accepts_views_that_are_not_contiguous(tmp_path: Path) -> None:
    for space in (SPACE, MANY):
        labels = np.arange(12, dtype=space.dtype).reshape(3, 4) % 3
        Segmentation(labels.T[::-1], space).save(tmp_path / "mask.png")
        with Image.open(tmp_path / "mask.png") as picture:
            assert np.array_equal(np.asarray(picture), labels.T[::-1])


def test_writer_messages(tmp_path: Path) -> None:
    target = tmp_path / "mask.png"
    with pytest.raises(UsageError, match=r"mask\.jpg: index masks are PNG files; end the name in \.png"):
        Segmentation(LABELS, SPACE).save(tmp_path / "mask.jpg")
    few, many = r"too few rows for the mask .*mask\.png: 2 of 3", r"too many rows for the mask .*mask\.png of height 3"
    with pytest.raises(DataError, match=few), MaskWriter(target, 4, 3, SPACE) as writer:
        writer.write(LABELS)
    with pytest.raises(DataError, match=many), MaskWriter(target, 4, 3, SPACE) as writer:
        writer.write(LABELS)
        writer.write(LABELS)
    with pytest.raises(DataError, match="is 5 wide, these rows are 4"), MaskWriter(target, 5, 2, SPACE) as writer:
        writer.write(LABELS)
    with pytest.raises(DataError, match="0x2 has no pixels"):
        MaskWriter(target, 0, 2, SPACE)
    assert os.listdir(tmp_path) == []


def test_writer_memory_does_not_grow_with_the_height(tmp_path: Path) -> None:
    band = np.random.default_rng(0).integers(0, 3, (64, 1000), dtype=np.uint8)
    peaks = []
    for count in (20, 60):
        tracemalloc.start()
        with MaskWriter(tmp_path / "mask.png", 1000, 64 * count, SPACE) as writer:
            for _ in range(count):
                writer.write(band)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000
    assert max(peaks) < 1_500_000


def _run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = (
        "import os, resource, signal, numpy as np\n"
        "from intarsia.labels import LabelSpace\nfrom intarsia.media.png import MaskWriter\n"
        "from intarsia.result import Segmentation\n"
        "space = LabelSpace(tuple(f'c{i}' for i in range(200)))\n"
        "rows = np.random.default_rng(0).integers(0, 200, (400, 1000), dtype=np.uint8)\n" + code
    )
    return subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=60)


def test_disk_full_while_writing_a_mask(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(b"old")
    result = _run(
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "Segmentation(rows, space).save('mask.png')\n",
        tmp_path,
    )
    assert "intarsia.errors.DataError: cannot write mask.png: the file is larger than" in result.stderr
    assert (tmp_path / "mask.png").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["mask.png"]


def test_interrupt_while_writing_a_mask(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(b"old")
    result = _run(
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with MaskWriter('mask.png', 1000, 800, space) as writer:\n"
        "    writer.write(rows)\n"
        "    print(os.listdir())\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    writer.write(rows)\n",
        tmp_path,
    )
    assert ".tmp.png" in result.stdout
    assert "KeyboardInterrupt" in result.stderr
    assert result.returncode in (-signal.SIGINT, 1, 130)
    assert (tmp_path / "mask.png").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["mask.png"]
