"""Reading and writing still images: values for every kind of file, and messages for every bad one."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from intarsia.errors import DataError, UsageError
from intarsia.media import streaming
from intarsia.media.animations import Animation
from intarsia.media.images import IMAGE_SUFFIXES, MAX_PIXELS, open_image, read_image, read_mask, write_image

# How the picture [[1, 2, 3], [4, 5, 6]] is stored under each EXIF orientation (written down by hand, from the EXIF
# standard's "0th row / 0th column" table).
ORIENTED = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[3, 6], [2, 5], [1, 4]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[4, 1], [5, 2], [6, 3]],
}


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    """A photo-like RGB picture without hard edges."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 17 + y / 31), np.cos(x / 13 - y / 29), np.sin(y / 11)]
    return (127.5 + 120 * np.stack(waves, axis=2)).astype(np.uint8)


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, depth: int, color_type: int, raw: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


# --- every kind of source and pixel ---------------------------------------------------------------------------------


def test_all_sources_give_the_same_pixels(tmp_path: Path) -> None:
    photo = smooth(20, 30)
    path = tmp_path / "photo.png"
    write_image(path, photo)
    sources = [path, str(path), path.read_bytes(), Image.open(path), photo]
    names = [str(path), str(path), "<bytes>", str(path), "<array>"]
    for source, name in zip(sources, names, strict=True):
        reader = open_image(source)
        assert (reader.name, reader.width, reader.height) == (name, 30, 20)
        assert np.array_equal(reader.read(), photo)
        assert reader.read().flags.writeable and reader.read().flags.c_contiguous
        assert np.array_equal(np.concatenate(list(reader.bands([(0, 7), (7, 20)]))), photo)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("L", (1, 1), 77), (77, 77, 77)),
        (Image.new("1", (1, 1), 1), (255, 255, 255)),
        (Image.new("LA", (1, 1), (0, 51)), (204, 204, 204)),
        (Image.new("RGBA", (1, 1), (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (1, 1), (255, 0, 10, 102)), (255, 153, 157)),
        (Image.new("RGBA", (1, 1), (1, 2, 3, 255)), (1, 2, 3)),
        (Image.new("CMYK", (1, 1), (0, 255, 255, 0)), (255, 0, 0)),
        (Image.new("CMYK", (1, 1), (255, 0, 0, 0)), (0, 255, 255)),
        (Image.new("CMYK", (1, 1), (0, 0, 0, 255)), (0, 0, 0)),
        (Image.new("I;16", (1, 1), 65535), (255, 255, 255)),
        (Image.new("I;16", (1, 1), 257 * 100), (100, 100, 100)),
        (Image.new("HSV", (1, 1), (0, 0, 200)), (200, 200, 200)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else str(value),
)
def test_colour_modes(picture: Image.Image, expected: tuple[int, int, int]) -> None:
    pixels = read_image(picture)
    assert (pixels.shape, pixels.dtype) == ((1, 1, 3), np.uint8)
    assert tuple(pixels[0, 0]) == expected


def test_palette_files_give_colours_and_transparency_turns_white() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([9, 8, 7, 200, 100, 50])
    picture.putdata([0, 1])
    assert read_image(encode(picture, "PNG"))[0].tolist() == [[9, 8, 7], [200, 100, 50]]
    assert read_image(encode(picture, "PNG", transparency=1))[0].tolist() == [[9, 8, 7], [255, 255, 255]]
    assert read_image(encode(picture, "GIF"))[0].tolist() == [[9, 8, 7], [200, 100, 50]]
    keyed = encode(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    assert read_image(keyed)[0].tolist() == [[255, 255, 255]]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_files_keep_their_colours(kind: str) -> None:
    pixels = read_image(encode(Image.new("CMYK", (16, 16), (0, 200, 255, 20)), kind)).astype(int)
    assert np.abs(pixels - [235, 51, 0]).max() <= 3


def test_sixteen_bit_files_are_scaled_linearly(tmp_path: Path) -> None:
    ramp = np.arange(256, dtype=np.uint16).reshape(16, 16)
    for name in ("gray.png", "gray.tif", "color.png", "color.tif"):
        stored = ramp * 257 if name.startswith("gray") else np.stack([ramp * 257] * 3, axis=2)
        assert cv2.imwrite(str(tmp_path / name), stored)
        assert np.array_equal(read_image(tmp_path / name), np.stack([ramp] * 3, axis=2)), name
    pgm = b"P5 2 1 65535\n" + np.array([65535, 257 * 9], dtype=">u2").tobytes()
    assert read_image(pgm)[0, :, 0].tolist() == [255, 9]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_a_single_pixel(kind: str) -> None:
    data = encode(Image.new("RGB", (1, 1), (255, 255, 255)), kind)
    reader = open_image(data)
    assert (reader.width, reader.height) == (1, 1)
    assert reader.read().tolist() == [[[255, 255, 255]]]
    assert reader.thumbnail(3, 2).tolist() == [[[255, 255, 255]] * 3] * 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(tmp_path: Path, kind: str, orientation: int) -> None:
    stored = np.array(ORIENTED[orientation], dtype=np.uint8) * 40
    path = tmp_path / f"photo.{kind.lower()}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(np.stack([stored] * 3, axis=2)).save(path, kind, exif=exif, **options)
    upright = np.array(ORIENTED[1]) * 40
    for source in (path, path.read_bytes(), Image.open(path)):
        reader = open_image(source)
        assert (reader.width, reader.height) == (3, 2)
        assert np.array_equal(reader.read()[..., 0], upright)
        assert np.array_equal(reader.thumbnail(3, 2)[..., 0], upright)
        assert np.array_equal(np.concatenate(list(reader.bands([(0, 1), (1, 2)])))[..., 0], upright)
    assert np.array_equal(read_mask(path)[..., 0], upright)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_photos(orientation: int) -> None:
    """A JPEG whose upright picture is dark at the left, bright at the right, and has a black row at the top."""
    upright = np.tile(np.linspace(40, 250, 320).astype(np.uint8), (160, 1))
    upright[:16] = 0
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 1, 7: 3, 8: 3}[orientation]
    stored = np.rot90(upright[:, ::-1] if orientation in (2, 4) else upright, turns)
    if orientation in (5, 7):
        stored = stored[::-1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(np.ascontiguousarray(stored)), "JPEG", exif=exif, quality=95)
    pixels = read_image(data)[..., 0].astype(int)
    assert pixels.shape == (160, 320)
    assert np.abs(pixels - upright).mean() < 1
    small = open_image(data).thumbnail(40, 20)[..., 0].astype(int)
    assert np.abs(small - upright.reshape(20, 8, 40, 8).mean((1, 3))).max() < 3


@pytest.mark.parametrize("late", [False, True])
def test_opening_a_png_finds_its_exif_block_without_decoding(late: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(Image.fromarray(smooth(30, 40)), "PNG", exif=exif)
    start = data.index(b"eXIf") - 4
    block = data[start : data.index(b"IDAT") - 4]
    if late:
        data = data.replace(block, b"").replace(b"\0\0\0\0IEND", block + b"\0\0\0\0IEND")
    reader = open_image(data)
    assert (reader.width, reader.height) == (30, 40)
    assert np.array_equal(reader.read(), np.rot90(smooth(30, 40), -1))
    cut = data[: data.index(b"IDAT") + 100]
    reader = open_image(cut)  # half of the pixels are missing, which opening does not notice
    with pytest.raises(DataError, match="truncated or corrupt"):
        reader.read()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_broken_exif_block_does_not_cost_the_photo() -> None:
    data = encode(Image.fromarray(smooth(8, 8)), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert open_image(data).read().shape == (8, 8, 3)


def test_arrays() -> None:
    gray = np.array([[0, 200]], dtype=np.uint8)
    assert read_image(gray).tolist() == [[[0, 0, 0], [200, 200, 200]]]
    see_through = np.array([[[255, 0, 0, 0], [10, 20, 30, 255]]], dtype=np.uint8)
    assert read_image(see_through).tolist() == [[[255, 255, 255], [10, 20, 30]]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 3), dtype=np.float32), r"holds float32; if its values are in 0\.\.1, pass \(255 \* image\)"),
        (np.zeros((4, 4), dtype=np.uint16), r"holds uint16; of 16-bit values .* pass \(image >> 4\)"),
        (np.zeros((4, 4), dtype=bool), r"holds bool; pass 255 \* mask"),
        (np.zeros((3, 40, 40), dtype=np.uint8), r"this one has \(3, 40, 40\); channels come last"),
        (np.zeros((2, 4, 4, 3), dtype=np.uint8), "pass the images of a batch one by one"),
        (np.zeros((4, 4, 2), dtype=np.uint8), r"must have shape \(H, W\), \(H, W, 3\) RGB or \(H, W, 4\) RGBA"),
        (np.zeros((0, 4, 3), dtype=np.uint8), r"needs pixels, this one has shape \(0, 4, 3\)"),
    ],
)
def test_arrays_that_are_no_images(array: NDArray[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_image(array)


def test_things_that_are_no_images() -> None:
    with pytest.raises(UsageError, match="cannot read an image from int; pass a path, bytes, a PIL image or a uint8"):
        open_image(3)  # type: ignore[arg-type]


# --- bad files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"the file is empty \(0 bytes\); copy or download it again"),
        (b"hello, world", "it looks like a text file"),
        (b"<!DOCTYPE html><html>not found", r"it looks like a web page \(HTML\)"),
        (b"%PDF-1.7", "it looks like a PDF document; export its page"),
        (b"PK\x03\x04\x14\x00", "it looks like a zip archive"),
        (b'{"version": "5.0"}', "it looks like JSON text"),
        (b'<?xml version="1.0"?>', "it looks like XML text"),
        (b'<VRTDataset rasterXSize="3">', r"a virtual raster \(VRT\), which only names others; write it out"),
        (b"EHFA_HEADER_TAG\0", "it looks like a raster of Erdas Imagine; convert it"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00", "it looks like a HEIC photo; convert it to JPEG or PNG"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00", "it looks like a video"),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", "it looks like an HDR picture of Radiance; tone-map it"),
        (b"v/1\x01\x02\x00\x00\x00", r"it looks like an HDR picture \(OpenEXR\); tone-map it"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer, .* run: git lfs pull"),
        (b"\x01\x02\x03\x04\x05", r"its first bytes are 01 02 03 04 05; supported are PNG, JPEG"),
    ],
)
def test_files_that_are_no_images(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    for read in (open_image, read_mask):
        with pytest.raises(DataError, match=rf"cannot read .*photo\.png: .*{message}"):
            read(path)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*nowhere\.png: no such file"):
        open_image(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match="it is a folder, not an image"):
        open_image(tmp_path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_files(tmp_path: Path, kind: str, share: float) -> None:
    data = encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)), kind)
    path = tmp_path / "photo.bin"
    path.write_bytes(data[: int(share * len(data))])
    for read in (read_image, read_mask):
        with pytest.raises(DataError, match=r"cannot read .*photo\.bin: the file is truncated or corrupt \(.+\); copy"):
            read(path)


def test_pipes_and_links_to_themselves(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    for read in (read_image, read_mask):
        with pytest.raises(DataError, match=r"cannot read .*pipe\.png: it is a pipe, no file; save it first, or pipe"):
            read(tmp_path / "pipe.png")  # where nobody writes, opening it would wait for ever
        with pytest.raises(DataError, match=r"cannot read .*loop\.png: a link leads back to itself; mend or remove it"):
            read(tmp_path / "loop.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_corrupt_headers(kind: str) -> None:
    data = bytearray(encode(Image.fromarray(smooth(60, 80)), kind))
    data[12:40] = b"\xff" * 28
    with pytest.raises(DataError, match=r"cannot read <bytes>: .*(truncated or corrupt|damaged|no pixels)"):
        read_image(bytes(data))


def test_corrupt_pixels() -> None:
    data = bytearray(encode(Image.fromarray(smooth(60, 80)), "PNG"))
    middle = data.index(b"IDAT") + 400
    data[middle : middle + 8] = b"\xff" * 8
    with pytest.raises(DataError, match="cannot read <bytes>: the file is truncated or corrupt"):
        read_image(bytes(data))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM"]), st.data())
def test_damage_never_gives_anything_but_pixels_or_a_data_error(kind: str, data: st.DataObject) -> None:
    stored = bytearray(encode(Image.fromarray(smooth(12, 16)), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        stored[data.draw(st.integers(0, len(stored) - 1))] = data.draw(st.integers(0, 255))
    for read in (
        lambda source: open_image(source, max_pixels=10_000).read(),
        lambda source: open_image(source, max_pixels=10_000).thumbnail(3, 3),
    ):
        try:
            assert read(bytes(stored)).shape[2] == 3
        except DataError as error:
            assert "<bytes>" in str(error)


@pytest.mark.parametrize(
    ("kind", "what"), [("GIF", "frames"), ("PNG", "frames"), ("WEBP", "frames"), ("TIFF", "pages")]
)
def test_animations_and_pages(tmp_path: Path, kind: str, what: str) -> None:
    frames = [Image.new("RGB", (8, 8), (60 * i, 0, 0)) for i in range(3)]
    path = tmp_path / "clip.bin"
    frames[0].save(path, kind, save_all=True, append_images=frames[1:])
    for read in (open_image, read_mask):
        with pytest.raises(DataError, match=rf"cannot read .*clip\.bin: it holds 3 {what}, not one picture; save each"):
            read(path)


def test_the_first_picture_of_an_mpo_is_read() -> None:
    pictures = [Image.new("RGB", (16, 16), color) for color in ((250, 250, 250), (0, 0, 0))]
    data = encode(pictures[0], "MPO", save_all=True, append_images=pictures[1:])
    assert read_image(data).min() >= 248


@pytest.mark.parametrize(("mode", "kind"), [("I", "32-bit integers"), ("F", "floating-point numbers")])
def test_values_without_a_range(mode: str, kind: str) -> None:
    data = encode(Image.new(mode, (4, 4), 7), "TIFF")
    with pytest.raises(DataError, match=f"cannot use <bytes> as a photo: its pixels are {kind} .*name the range"):
        read_image(data)


def test_colour_spaces_without_a_conversion() -> None:
    with pytest.raises(DataError, match="its colour mode LAB has no conversion here; save it as RGB"):
        read_image(Image.new("LAB", (4, 4)))


def test_a_small_file_that_decodes_to_81_megapixels(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    content = bytearray(png(9000, 9000, 1, 0, bytes(9000 * (1 + 9000 // 8))))
    assert len(content) < 11_000
    content[100:200] = bytes(100)  # whoever decoded would complain of this
    path.write_bytes(content)
    for read in (open_image, read_mask):
        with pytest.raises(DataError, match=r"refused .*bomb\.png: its 9,\d+ bytes would decode to 9000x9000 pixels"):
            read(path)


def test_too_many_pixels() -> None:
    data = encode(Image.fromarray(smooth(20, 50)), "PNG")
    with pytest.raises(DataError, match=r"refused <bytes>: 50x20 is 0 megapixels, the limit is 0; cut it into parts"):
        open_image(data, max_pixels=999)
    assert open_image(data, max_pixels=1000).width == 50
    huge = png(30_000, 20_000, 8, 2, b"") + bytes(500_000)
    with pytest.raises(DataError, match=f"30000x20000 is 600 megapixels, the limit is {MAX_PIXELS // 1_000_000}"):
        open_image(huge)


def test_pictures_above_pillows_own_limit_are_opened_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    reader = open_image(png(20_000, 18_000, 8, 2, b"") + bytes(500_000))
    assert (reader.width, reader.height) == (20_000, 18_000)
    assert not recwarn.list


# --- masks ------------------------------------------------------------------------------------------------------------


def test_masks_give_stored_values(tmp_path: Path) -> None:
    values = np.array([[0, 1, 2], [3, 254, 255]], dtype=np.uint8)
    palette = Image.fromarray(values)
    palette.putpalette([7] * 768)
    wide = values.astype(np.uint16) * 257
    for name, picture, expected in [
        ("gray.png", Image.fromarray(values), values),
        ("palette.png", palette, values),
        ("wide.png", Image.fromarray(wide), wide),
        ("wide.tif", Image.fromarray(wide), wide),
        ("wide32.tif", Image.fromarray(wide.astype(np.int32)), wide),
        ("binary.png", Image.fromarray(values > 2), values > 2),
        ("gray_alpha.png", Image.merge("LA", [Image.fromarray(values), Image.new("L", (3, 2), 255)]), values),
    ]:
        picture.save(tmp_path / name)
        read = read_mask(tmp_path / name)
        assert read.dtype == (np.uint16 if name.startswith("wide") else np.uint8), name
        assert np.array_equal(read, expected), name
    colors = smooth(4, 5)
    Image.fromarray(colors).save(tmp_path / "colors.png")
    assert np.array_equal(read_mask(tmp_path / "colors.png"), colors)
    Image.fromarray(colors).convert("RGBA").save(tmp_path / "alpha.png")
    assert np.array_equal(read_mask(tmp_path / "alpha.png"), colors)


@pytest.mark.parametrize(("depth", "levels"), [(1, [0, 1]), (2, [0, 1, 2, 3]), (4, [0, 1, 9, 15])])
def test_masks_of_few_bits_are_not_spread_over_0_to_255(tmp_path: Path, depth: int, levels: list[int]) -> None:
    bits = "".join(f"{level:0{depth}b}" for level in levels).ljust(-(-len(levels) * depth // 8) * 8, "0")
    raw = b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    (tmp_path / "mask.png").write_bytes(png(len(levels), 1, depth, 0, raw))
    assert read_mask(tmp_path / "mask.png").tolist() == [levels]


@pytest.mark.parametrize(
    ("picture", "suffix", "message"),
    [
        (Image.new("RGBA", (4, 4), (1, 2, 3, 0)), "png", "it has transparent pixels, so their class is unclear"),
        (Image.new("F", (4, 4), 1.5), "tif", r"it holds 1\.5 and other fractions.*export it as class indices"),
        (Image.new("CMYK", (4, 4)), "tif", "its colour mode is CMYK"),
        (Image.new("I", (4, 4), 70000), "tif", r"its values span 70000\.\.70000, classes are 0\.\.65535"),
        (Image.fromarray(np.array([[-2, -1, 0]], np.int32)), "tif", r"its values span -2\.\.0"),
    ],
)
def test_masks_without_clear_values(tmp_path: Path, picture: Image.Image, suffix: str, message: str) -> None:
    path = tmp_path / f"mask.{suffix}"
    picture.save(path)
    with pytest.raises(DataError, match=rf"cannot use the mask .*mask\.{suffix}: {message}"):
        read_mask(path)


# --- bands, thumbnails, streaming -------------------------------------------------------------------------------------

WINDOWS = [
    [(0, 200)],
    [(i, i + 8) for i in range(0, 200, 8)],
    [(0, 70), (40, 110), (80, 150), (120, 200)],
    [(0, 3), (3, 3), (100, 101), (100, 190)],
    [(199, 200)],
]


@pytest.mark.parametrize("windows", WINDOWS, ids=["whole", "steps", "overlap", "gaps", "last row"])
@pytest.mark.parametrize(
    ("suffix", "mode", "options"),
    [
        ("png", "RGB", {}),
        ("png", "L", {}),
        ("png", "RGBA", {}),
        ("png", "I;16", {}),
        ("jpg", "RGB", {"quality": 90}),
        ("jpg", "L", {"quality": 90}),
        ("jpg", "RGB", {"progressive": True, "subsampling": 0}),
        ("tif", "RGB", {}),
        ("tif", "RGB", {"compression": "tiff_lzw"}),
        ("tif", "I;16", {}),
        ("webp", "RGB", {"lossless": True}),
    ],
    ids=str,
)
def test_streamed_rows_equal_a_whole_decode(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    mode: str,
    options: dict[str, Any],
    windows: list[tuple[int, int]],
) -> None:
    pytest.importorskip("pyvips")
    photo = smooth(200, 90)
    if mode == "I;16":
        picture = Image.fromarray(photo[..., 0].astype(np.uint16) * 250 + 3)
    elif mode == "RGBA":
        picture = Image.fromarray(np.dstack([photo, photo[..., 1]]))
    else:
        picture = Image.fromarray(photo).convert(mode)
    path = tmp_path / f"photo.{suffix}"
    picture.save(path, **options)
    whole = read_image(path)
    monkeypatch.setattr(streaming, "STREAM_PIXELS", 100)
    for source in (path, path.read_bytes()):
        reader = open_image(source)
        assert reader._streamed
        for (top, bottom), band in zip(windows, reader.bands(windows), strict=True):
            assert np.array_equal(band, whole[top:bottom])
        assert np.array_equal(reader.read(), whole)


def test_rotated_and_palette_pictures_are_decoded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "STREAM_PIXELS", 100)
    photo = Image.fromarray(smooth(40, 30))
    exif = Image.Exif()
    exif[0x0112] = 6
    for data in (encode(photo, "JPEG", exif=exif), encode(photo.quantize(8), "PNG"), encode(photo, "BMP")):
        reader = open_image(data)
        assert not reader._streamed
        assert np.array_equal(np.concatenate(list(reader.bands([(0, 9), (9, reader.height)]))), reader.read())


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_truncated_files_while_streaming(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    pytest.importorskip("pyvips")
    monkeypatch.setattr(streaming, "STREAM_PIXELS", 100)
    noise = np.random.default_rng(0).integers(0, 256, (300, 80, 3), dtype=np.uint8)
    options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
    data = encode(Image.fromarray(noise), kind, **options)
    cut = data[: len(data) // 2] if kind != "TIFF" else data[:8] + bytes(len(data) // 2) + data[8 + len(data) // 2 :]
    reader = open_image(cut)
    assert reader._streamed
    with pytest.raises(DataError, match=r"cannot read <bytes>: the file is truncated or corrupt \(.+\); copy"):
        list(reader.bands([(0, 150), (150, 300)]))


@pytest.mark.parametrize("windows", [[(5, 10), (0, 20)], [(0, 20), (5, 10)], [(0, 41)], [(-1, 5)], [(7, 3)]])
def test_windows_must_go_downwards(windows: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="go upwards or lie outside the picture"):
        list(open_image(smooth(40, 30)).bands(windows))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6))
def test_any_windows_give_their_rows(pairs: list[tuple[int, int]]) -> None:
    photo = smooth(60, 3)
    tops, bottoms = sorted(min(pair) for pair in pairs), sorted(max(pair) for pair in pairs)
    windows = list(zip(tops, bottoms, strict=True))
    for (top, bottom), band in zip(windows, open_image(photo).bands(windows), strict=True):
        assert np.array_equal(band, photo[top:bottom])


def area_average(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float64]:
    """The definition: each new pixel is the mean over the rectangle that it covers, fractions of pixels included."""

    def cover(size: int, new: int) -> NDArray[np.float64]:
        start = np.arange(new)[:, None] * size / new
        overlap = np.minimum(start + size / new, np.arange(1, size + 1)) - np.maximum(start, np.arange(size))
        return overlap.clip(0) * new / size

    rows = np.tensordot(cover(pixels.shape[0], height), pixels, (1, 0))
    return np.tensordot(rows, cover(pixels.shape[1], width), (1, 1)).swapaxes(1, 2)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (32, 24), (37, 23), (80, 60), (101, 67), (319, 240)])
@pytest.mark.parametrize("size", [(240, 320), (243, 331)], ids=str)
def test_thumbnails_are_area_averages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: tuple[int, int], width: int, height: int
) -> None:
    photo = smooth(*size)
    average = area_average(photo, height, width)
    assert np.abs(open_image(photo).thumbnail(width, height) - average).max() <= 1
    for name, tolerance in (("a.png", 1.5), ("a.tif", 1.5), ("a.jpg", 6)):
        write_image(tmp_path / name, photo, quality=98)
        average = area_average(read_image(tmp_path / name), height, width)
        for threshold in (10**9, 100):
            with monkeypatch.context() as patch:
                patch.setattr(streaming, "STREAM_PIXELS", threshold)
                small = open_image(tmp_path / name).thumbnail(width, height)
            assert small.shape == (height, width, 3)
            assert np.abs(small - average).max() <= tolerance, (name, threshold)
            assert np.abs(small - average).mean() <= tolerance / 4, (name, threshold)


def test_thumbnails_can_be_larger() -> None:
    photo = smooth(24, 32)
    larger = open_image(photo).thumbnail(64, 48)
    assert np.abs(larger.reshape(24, 2, 32, 2, 3).mean((1, 3)) - photo).max() < 8


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"])
def test_written_pictures_read_back(tmp_path: Path, suffix: str) -> None:
    photo = smooth(40, 50)
    write_image(tmp_path / f"a{suffix}", photo)
    difference = np.abs(read_image(tmp_path / f"a{suffix}").astype(int) - photo)
    assert difference.max() == 0 if suffix in (".png", ".tif", ".tiff", ".bmp") else difference.mean() < 4
    assert os.listdir(tmp_path) == [f"a{suffix}"]
    assert suffix in IMAGE_SUFFIXES


def test_quality_sets_the_size(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg", smooth(100, 100), quality=30)
    write_image(tmp_path / "b.jpg", Image.fromarray(smooth(100, 100)), quality=95)
    assert (tmp_path / "a.jpg").stat().st_size < (tmp_path / "b.jpg").stat().st_size


def test_writing_messages(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"cannot write .*a\.jgp: no format is known for '\.jgp'\. Did you mean '\.jpg'"
    ):
        write_image(tmp_path / "a.jgp", smooth(4, 4))
    with pytest.raises(DataError, match=r"cannot write .*a\.jpg as JPEG: "):
        write_image(tmp_path / "a.jpg", Image.new("L", (70_000, 1)))
    with pytest.raises(DataError, match=r"cannot write .*a\.jpg as JPEG: cannot write mode RGBA"):
        write_image(tmp_path / "a.jpg", Image.new("RGBA", (4, 4)))
    assert os.listdir(tmp_path) == []


def test_real_street_scenes(real_data: Path) -> None:
    camvid = real_data / "camvid"
    photos = sorted((camvid / "val").glob("*.jpg"))[:3]
    assert len(photos) == 3
    for photo in photos:
        assert read_image(photo).shape == (360, 480, 3)
        mask = read_mask(camvid / "valannot" / f"{photo.stem}.png")
        assert (mask.shape, mask.dtype) == ((360, 480), np.uint8)
        assert set(np.unique(mask)) <= set(range(12))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("size", [(64, 48), (17, 5), (1, 1)])
def test_jpeg_files_have_the_pixels_that_pillow_decodes(
    tmp_path: Path, size: tuple[int, int], subsampling: int, progressive: bool
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    path = tmp_path / "a.jpg"
    Image.fromarray(noise).save(path, quality=60, subsampling=subsampling, progressive=progressive)
    expected = np.asarray(Image.open(path))
    for source in (path, path.read_bytes(), path.read_bytes() + bytes(7)):
        reader = open_image(source)
        assert reader.hold()
        assert np.array_equal(reader.read(), expected)
        assert np.array_equal(read_image(source), expected)


@pytest.mark.parametrize("form", ["photo", "mask", "moving"])
def test_pixels_of_a_png_that_do_not_fit_their_checksum(form: str, tmp_path: Path) -> None:
    """One bit of the packed pixels; of most such files Pillow gives other pixels, and says nothing."""
    path = tmp_path / "a.png"
    frames = [Image.fromarray(np.full((9, 8), number, np.uint8)) for number in range(3)]
    frames[0].save(
        path, compress_level=0, **({"save_all": True, "append_images": frames[1:]} if form == "moving" else {})
    )
    read = {"photo": read_image, "mask": read_mask, "moving": Animation}[form]
    read(path)
    whole = path.read_bytes()
    place = whole.index(b"fdAT" if form == "moving" else b"IDAT") + 20
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(DataError, match=r"a\.png: the file is truncated or corrupt \(the checksum of its pixels"):
        read(path)


def test_a_gif_of_too_many_frames(tmp_path: Path) -> None:
    frames = [Image.new("L", (20, 30), 80 * number) for number in (1, 2, 3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert Animation(tmp_path / "a.gif").count == 3
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    (tmp_path / "b.gif").write_bytes(head + 20_001 * frame + b";")
    with pytest.raises(DataError, match=r"more than 20,000 frames; make a video of it"):
        Animation(tmp_path / "b.gif")


def test_pages_whose_pixels_are_unknown_still_say_what_they_are(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(pixels, photometric="rgb")
        writer.write(pixels[..., 0] > 99, photometric="mask", subfiletype=4)
    assert (open_image(tmp_path / "a.tif").read() == pixels).all()
    tifffile.imwrite(tmp_path / "b.tif", pixels.astype(np.float32), photometric="rgb")
    with pytest.raises(DataError, match=r"its samples .* are none of a photo here; save it with 8 or 16 bits"):
        open_image(tmp_path / "b.tif")
