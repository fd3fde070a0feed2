"""Pictures that store 10, 12 or 14 bits in 16, and what accompanies a picture in its file."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from intarsia.datasets.opening import open_dataset
from intarsia.errors import DataError
from intarsia.media import streaming
from intarsia.media.header import IMAGE_SUFFIXES
from intarsia.media.images import open_image, read_image, read_mask
from intarsia.media.medium import expand
from intarsia.preprocessing import Preprocessing
from intarsia.training.plan.auto import recipe_for

RAMP = np.arange(256, dtype=np.uint16).reshape(8, 32)
COLOURS = np.stack([RAMP, RAMP[::-1], RAMP // 2], axis=2)


def save(path: Path, samples: NDArray[np.uint16]) -> Path:
    """16-bit gray, RGB or RGBA as PNG or TIFF."""
    order = {2: slice(None), 3: [2, 1, 0], 4: [2, 1, 0, 3]}[samples.shape[2] if samples.ndim == 3 else 2]
    cv2.imwrite(str(path), samples[..., order] if samples.ndim == 3 else samples)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_the_depth_that_is_filled_is_the_range(tmp_path: Path, bits: int, suffix: str) -> None:
    for name, plain in (("gray", RAMP), ("colour", COLOURS)):
        reader = open_image(save(tmp_path / f"{name}{suffix}", plain << (bits - 8)))
        expected = np.stack([RAMP] * 3, axis=2) if name == "gray" else COLOURS
        assert (reader.is_deep, reader.bits) == (True, bits)
        assert np.array_equal(reader.read(), expected)
        assert np.array_equal(read_image(tmp_path / f"{name}{suffix}"), expected)
        assert np.array_equal(np.concatenate(list(reader.bands([(0, 3), (3, 8)]))), expected)
        if bits == 16:
            assert reader.notes == ()
        else:
            assert f"taken as {bits}-bit ones; --window 0,{2**bits - 1} " in reader.notes[0]


def test_transparency_does_not_count_and_is_not_scaled(tmp_path: Path) -> None:
    alpha = np.full((8, 32, 1), 65535, np.uint16)
    alpha[0] = 0
    reader = open_image(save(tmp_path / "a.png", np.concatenate([COLOURS << 4, alpha], axis=2)))
    assert reader.bits == 12
    assert np.array_equal(reader.read()[1:], COLOURS[1:]) and (reader.read()[0] == 255).all()


def test_a_window_says_the_range_for_all(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", COLOURS << 2)
    reader = open_image(path, windows=((0, 4095),))
    assert reader.notes == ()
    assert np.array_equal(reader.read(), np.rint((COLOURS << 2) * np.float32(255 / 4095)))
    each = open_image(path, windows=((0, 1023), (0, 2046), (0, 4092))).read().max(axis=(0, 1))
    assert each.tolist() == [254, 127, 32]
    plain = Image.fromarray(COLOURS.astype(np.uint8))
    assert np.array_equal(read_image(plain, windows=((0, 4095),)), COLOURS)  # 8 bits are taken as they are


def test_floats_need_a_window(tmp_path: Path) -> None:
    Image.fromarray((RAMP / 255).astype(np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(DataError, match=r"floating-point numbers without a fixed range; name the range .*--window 0,1"):
        read_image(tmp_path / "f.tif")
    assert np.array_equal(read_image(tmp_path / "f.tif", windows=((0, 1),))[..., 1], RAMP)


def test_sixteen_bits_with_white_as_zero_are_turned_over(tmp_path: Path) -> None:
    Image.fromarray((255 - RAMP) << 4).save(tmp_path / "w.tif")
    data = bytearray((tmp_path / "w.tif").read_bytes())
    place = data.index(struct.pack("<HHIH", 262, 3, 1, 1))
    data[place + 8] = 0
    (tmp_path / "w.tif").write_bytes(data)
    assert np.array_equal(read_image(tmp_path / "w.tif")[..., 0], RAMP)


def test_colours_stored_by_plane_are_refused(tmp_path: Path) -> None:
    planes = (COLOURS << 4).transpose(2, 0, 1).tobytes()
    entries = [
        (256, 3, 1, 32), (257, 3, 1, 8), (258, 3, 3, 134), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 3, 140),
        (277, 3, 1, 3), (278, 3, 1, 8), (279, 4, 3, 152), (284, 3, 1, 2),
    ]  # fmt: skip
    table = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    values = struct.pack("<3H3I3I", 16, 16, 16, *(164 + 512 * plane for plane in range(3)), 512, 512, 512)
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0" + table + values + planes)
    with pytest.raises(DataError, match=r"a\.tif: its 16-bit colours are stored plane by plane"):
        read_image(tmp_path / "a.tif")


def test_large_pictures_are_streamed_in_their_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyvips")
    path = save(tmp_path / "a.png", COLOURS << 4)
    with monkeypatch.context() as patch:
        patch.setattr(streaming, "STREAM_PIXELS", 0)
        streamed, chosen = open_image(path), open_image(path, windows=((0, 1023),))
        assert streamed.bits == 12 and np.array_equal(streamed.read(), COLOURS)
        assert np.array_equal(chosen.read(), np.minimum(255, np.rint((COLOURS << 4) * np.float32(255 / 1023))))


def data_set(root: Path, bits: int) -> Path:
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for index in range(6):
        save(root / "images" / f"{index}.png", (COLOURS << (bits - 8)) >> (2 if index else 0))
        Image.fromarray((RAMP > 100).astype(np.uint8)).save(root / "masks" / f"{index}.png")
    return root


def test_training_and_prediction_see_one_range(tmp_path: Path) -> None:
    dataset = open_dataset(data_set(tmp_path, 12))
    recipe = recipe_for(dataset)
    assert recipe.input.window == (0, 4095)
    split = next(iter(dataset.splits.values()))
    seen = split.for_input(Preprocessing(window=(0, 4095)))
    for index, item in enumerate(seen.items):
        predicted = open_image(item.input, windows=Preprocessing(window=(0, 4095)).windows).read()
        assert np.array_equal(seen.read(index)[0], predicted)
    whole = {one.input.name: split.read(index)[0].max() for index, one in enumerate(split.items)}
    assert set(whole.values()) == {255}  # without a window each picture is taken by itself ...
    report = dataset.check().to_text()  # ... which the check says
    assert "16-bit image that does not fill its range" in report
    assert "taken as a 12-bit picture; one range for all: --set input.window=[0,4095]" in report


def test_full_range_needs_no_window(tmp_path: Path) -> None:
    assert recipe_for(open_dataset(data_set(tmp_path, 16))).input.window is None


# --- suffixes and pages -----------------------------------------------------------------------------------------------

WRITTEN = {
    ".jpg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".mpo": "MPO", ".dib": "DIB", ".pnm": "PPM", ".j2k": "JPEG2000",
    ".jpf": "JPEG2000", ".tga": "TGA", ".JFIF": "JPEG",
}  # fmt: skip


def test_folders_and_data_sets_look_for_all_that_is_read(tmp_path: Path) -> None:
    picture = Image.fromarray(COLOURS.astype(np.uint8))
    for suffix, kind in WRITTEN.items():
        picture.save(tmp_path / f"q{suffix.lstrip('.')}{suffix}", kind)
    found = [Path(item.source) for item in expand(tmp_path).items]
    assert sorted(path.suffix for path in found) == sorted(WRITTEN)
    assert all(read_image(path).shape == (8, 32, 3) for path in found)
    assert {suffix.lower() for suffix in WRITTEN} <= set(IMAGE_SUFFIXES)


def test_a_targa_is_known_by_its_name_alone(tmp_path: Path) -> None:
    Image.fromarray(COLOURS.astype(np.uint8)).save(tmp_path / "a.tga")
    assert np.array_equal(read_image(tmp_path / "a.tga"), COLOURS)
    (tmp_path / "a.tga").rename(tmp_path / "a.bin")
    with pytest.raises(DataError, match="it is not an image that Intarsia reads"):
        read_image(tmp_path / "a.bin")


def pages(path: Path, *kinds: Any) -> Path:
    """A TIFF of pages that get ever darker; each kind is the tags of its page."""
    images = []
    for number, tags in enumerate(kinds):
        image = Image.new("L", (16 >> (number and 1), 8), 200 - 50 * number)
        image.encoderinfo = {"tiffinfo": tags}
        images.append(image)
    images[0].save(path, "TIFF", save_all=True, append_images=images[1:], tiffinfo=kinds[0])
    return path


@pytest.mark.parametrize("tags", [{254: 1}, {255: 2}, {254: 4}, {254: 5}])
def test_reduced_pages_and_masks_are_no_pages(tmp_path: Path, tags: dict[int, int]) -> None:
    path = pages(tmp_path / "a.tif", {}, tags)
    assert read_image(path).shape == (8, 16, 3) and read_image(path).max() == 200
    assert read_mask(path).shape == (8, 16)


def test_the_picture_may_follow_its_thumbnail(tmp_path: Path) -> None:
    path = pages(tmp_path / "a.tif", {254: 1}, {})
    reader = open_image(path)
    assert (reader.width, reader.height) == (8, 8)
    assert reader.read().max() == reader.thumbnail(4, 4).max() == read_image(path).max() == 150


def test_pages_of_their_own_are_counted_without_the_reduced_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it holds 2 pages, not one picture"):
        read_image(pages(tmp_path / "a.tif", {}, {254: 1}, {}))
