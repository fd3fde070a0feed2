"""What mask files store: class values as they are."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from intarsia.errors import DataError
from intarsia.media.images import read_mask
from intarsia.media.maskfile import NOWHERE, class_values, read_mask_file


def tiff(rows: bytes, width: int, height: int, bits: int, photometric: int) -> bytes:
    """A TIFF of one strip, uncompressed."""
    tags = [
        (256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8),
        (277, 3, 1), (278, 3, height), (279, 4, len(rows)),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", value) for tag, kind, value in tags)
    return (
        b"II*\0"
        + struct.pack("<I", 8 + len(rows))
        + rows
        + struct.pack("<H", len(tags))
        + entries
        + struct.pack("<I", 0)
    )


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize(
    ("bits", "rows", "values"),
    [
        (1, bytes([0b01100000, 0b10000000]), [[0, 1, 1], [1, 0, 0]]),
        (4, bytes([0x01, 0x2F]), [[0, 1], [2, 15]]),
        (8, bytes([0, 1, 2, 255]), [[0, 1], [2, 255]]),
        (16, np.array([0, 1, 300, 65535], "<u2").tobytes(), [[0, 1], [300, 65535]]),
    ],
)
def test_a_tiff_whose_zero_is_white_is_read_as_stored(
    tmp_path: Path, photometric: int, bits: int, rows: bytes, values: list[list[int]]
) -> None:
    (tmp_path / "mask.tif").write_bytes(tiff(rows, len(values[0]), len(values), bits, photometric))
    assert read_mask(tmp_path / "mask.tif").tolist() == values


def test_palette_files_by_index_or_by_colour(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    image.putpalette([9, 8, 7, 255, 0, 0])
    image.save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png").tolist() == [[0, 1], [1, 0]]
    assert read_mask(tmp_path / "mask.png", colors=True)[0].tolist() == [[9, 8, 7], [255, 0, 0]]


@pytest.mark.parametrize(("text", "nodata"), [("0", 0), ("-9999", None), ("nonsense", None)])
def test_declared_nodata(tmp_path: Path, text: str, nodata: int | None) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[42113] = 2
    tags[42113] = text
    Image.new("L", (2, 2), 1).save(tmp_path / "mask.tif", tiffinfo=tags)
    assert read_mask_file(tmp_path / "mask.tif", "mask.tif", 100).nodata == nodata


@pytest.mark.parametrize(
    ("values", "nodata", "found", "nowhere"),
    [
        (np.array([0, 1.0000005, 1.9995], np.float32), None, [0, 1, 2], ""),
        (np.arange(255, dtype=np.float64) * 1.000015, None, list(range(255)), ""),
        (np.array([0, np.nan, 2]), None, [0, NOWHERE, 2], "NaN"),
        (np.array([0, -9999, 2], np.int16), None, [0, NOWHERE, 2], "-9999"),
        (np.array([0, -1.0000001, 2], np.float32), None, [0, NOWHERE, 2], "-1"),
        (np.array([0, 3.4e38, -1], np.float32), 3.4e38, [0, NOWHERE, NOWHERE], "-1 and 3.4e+38"),
        (np.array([0, 70], np.int64), None, [0, 70], ""),
        (np.array([True, False]), None, [1, 0], ""),
    ],
)
def test_numbers_as_classes(values: np.ndarray, nodata: float | None, found: list[int], nowhere: str) -> None:
    labels, said = class_values(values, "mask", nodata)
    assert (labels.tolist(), said) == (found, nowhere)
    assert labels.dtype == (np.uint16 if nowhere else np.uint8)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([0, 0.37, 1]), r"mask m: it holds 0\.37 and other fractions.*export it as class indices"),
        (np.array([-2, -1, 5]), r"span -2\.\.5"),
        (np.array([0, 65536]), r"span 0\.\.65536"),
    ],
)
def test_numbers_that_are_no_classes(values: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        class_values(values, "m")


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.int64, np.float16])
@pytest.mark.parametrize("shape", [(2, 2), (1, 2, 2), (2, 2, 1)])
def test_arrays(tmp_path: Path, dtype: Any, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "mask.npy", np.array([0, 1, 1, 0]).astype(dtype).reshape(shape))
    assert read_mask(tmp_path / "mask.npy").tolist() == [[0, 1], [1, 0]]


def test_arrays_of_colours_and_others(tmp_path: Path) -> None:
    opaque = np.full((2, 2, 4), 255, np.uint8)
    np.save(tmp_path / "rgba.npy", opaque)
    assert read_mask(tmp_path / "rgba.npy").shape == (2, 2, 3)
    np.save(tmp_path / "scores.npy", np.zeros((5, 4, 4), np.float32))
    with pytest.raises(DataError, match=r"scores\.npy.*\(5, 4, 4\) of float32.*argmax"):
        read_mask(tmp_path / "scores.npy")
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match="no plain NumPy array"):
        read_mask(tmp_path / "objects.npy")


@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize("classes", [3, 4, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.bool_, np.float32])
def test_a_plane_for_each_class_is_read(tmp_path: Path, axis: int, classes: int, dtype: type) -> None:
    labels = np.arange(30).reshape(5, 6) % classes
    np.save(tmp_path / "mask.npy", np.moveaxis(np.eye(classes, dtype=dtype)[labels], 2, axis))
    assert np.array_equal(read_mask(tmp_path / "mask.npy"), labels)
