"""Colour profiles: pictures of other colours than sRGB's are converted and told, sRGB ones stay as they are."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from intarsia.media.images import open_image, read_image
from intarsia.media.photos import PhotoReader
from intarsia.media.profiles import beyond_ordinary

# Chromatically adapted to D50: Adobe RGB (1998), Display P3, sRGB.
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
SIZE = 40, 30


def _profile(name: str, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 2 with these tags."""
    text = name.encode() + b"\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"wtpt": _xyz((0.9642, 1.0, 0.8249)),
        **tags,
    }
    table, body, at = b"", b"", 132 + 12 * len(tags)
    for key, value in tags.items():
        value += bytes(-len(value) % 4)
        table += key + struct.pack(">II", at + len(body), len(value))
        body += value
    head = struct.pack(">I4sI4s4s4s12s4s", at + len(body), b"test", 0x02100000, b"mntr", space, pcs, bytes(12), b"acsp")
    head += bytes(28) + struct.pack(">iii", *(round(65536 * part) for part in (0.9642, 1.0, 0.8249)))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(65536 * value) for value in values))


def rgb_profile(name: str, primaries: tuple[tuple[float, ...], ...], gamma: float = 2.2) -> bytes:
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * gamma))
    tags = {f"{key}XYZ".encode(): _xyz(values) for key, values in zip("rgb", primaries, strict=True)}
    return _profile(name, b"RGB ", b"XYZ ", tags | {f"{key}TRC".encode(): curve for key in "rgb"})


def cmyk_profile() -> bytes:
    """Inks whose mixture is as dark as there is ink, and red where there is magenta alone."""
    line = bytes(range(256))
    corners = b""
    for c, m, y, k in itertools.product((0, 1), repeat=4):
        red = m and not (c or y or k)
        corners += bytes([round(255 * (1 - max(c, y, k, 0.5 * m))), 208 if red else 128, 192 if red else 128])
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    return _profile("Test inks", b"CMYK", b"Lab ", {b"A2B0": lut + 4 * line + corners + 3 * line})


def save(path: Path, mode: str, colour: tuple[int, ...], profile: bytes, **options: object) -> Path:
    Image.new(mode, SIZE, colour).save(path, icc_profile=profile, **options)
    return path


@pytest.mark.parametrize(("name", "primaries"), [("Adobe RGB (1998)", ADOBE), ("Display P3", P3)])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp"])
def test_wide_colours_become_those_of_srgb(
    tmp_path: Path, name: str, primaries: tuple[tuple[float, ...], ...], suffix: str
) -> None:
    profile = rgb_profile(name, primaries)
    path = save(tmp_path / f"a{suffix}", "RGB", (180, 120, 60), profile, quality=100, lossless=True)
    light = (np.array([180, 120, 60]) / 255) ** 2.2 @ np.array(primaries)
    linear = np.clip(light @ np.linalg.inv(np.array(SRGB)), 0, 1)
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    reader = open_image(path)
    assert np.abs(reader.read()[5, 5] - expected).max() <= 3
    assert np.array_equal(reader.read(), read_image(path))
    assert np.array_equal(reader.read(), read_image(path.read_bytes()))
    assert np.abs(reader.thumbnail(8, 6)[3, 3] - expected).max() <= 3
    assert reader.hold() and np.abs(reader.read()[5, 5] - expected).max() <= 3
    assert reader.notes == (f"its colours are those of the profile {name}, and become those of sRGB",)


def test_srgb_and_what_is_no_profile_change_nothing(tmp_path: Path) -> None:
    for profile in (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"nothing", b""):
        reader = open_image(save(tmp_path / "a.png", "RGB", (180, 120, 60), profile))
        assert reader.read()[0, 0].tolist() == [180, 120, 60] and reader.notes == ()
    gray = open_image(save(tmp_path / "g.png", "L", (77,), rgb_profile("Display P3", P3)))
    assert gray.read()[0, 0].tolist() == [77] * 3 and gray.notes == ()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.6])
def test_greys_of_another_gamma(tmp_path: Path, suffix: str, gamma: float) -> None:
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * gamma))
    profile = _profile("Gray Gamma", b"GRAY", b"XYZ ", {b"kTRC": curve})
    path = save(tmp_path / f"a{suffix}", "L", (100,), profile, quality=100)
    light = (100 / 255) ** gamma
    expected = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    reader = open_image(path)
    assert np.abs(reader.read()[5, 5] - expected).max() <= 2 and np.array_equal(reader.read(), read_image(path))
    assert reader.notes == ("its colours are those of the profile Gray Gamma, and become those of sRGB",)


def test_greys_of_ordinary_gamma_and_of_sixteen_bits(tmp_path: Path) -> None:
    def profile(gamma: float) -> bytes:
        curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * gamma))
        return _profile("Gray", b"GRAY", b"XYZ ", {b"kTRC": curve})

    ramp = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(ramp).save(tmp_path / "deep.png", icc_profile=profile(1.8))
    Image.fromarray((ramp >> 8).astype(np.uint8)).save(tmp_path / "flat.png", icc_profile=profile(1.8))
    deep, flat = (open_image(tmp_path / name).read().astype(int) for name in ("deep.png", "flat.png"))
    assert np.abs(deep - flat).max() <= 4 and abs(flat[32, 0, 0] - 146) <= 1  # 255 * (0.5 ** 1.8 as sRGB has it)
    pair = Image.merge("LA", (Image.new("L", SIZE, 100), Image.new("L", SIZE, 255)))
    pair.save(tmp_path / "pair.png", icc_profile=profile(1.0))
    assert abs(int(open_image(tmp_path / "pair.png").read()[0, 0, 0]) - 167) <= 2


def test_inks_are_seen_as_their_profile_says(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", "CMYK", (0, 255, 0, 0), cmyk_profile())
    reader = open_image(path)
    assert reader.notes == ("its colours are those of the profile Test inks, and become those of sRGB",)
    red, green, blue = reader.read()[0, 0].tolist()
    assert red > 180 and green < 80 and blue < 80  # and not the magenta that mere arithmetic gives
    paper = open_image(save(tmp_path / "w.tif", "CMYK", (0, 0, 0, 0), cmyk_profile())).read()[0, 0]
    assert paper.min() >= 250


def test_photos_that_are_written_again_keep_their_own_colours(tmp_path: Path) -> None:
    profile = rgb_profile("Display P3", P3)
    photo = PhotoReader(save(tmp_path / "a.png", "RGB", (180, 120, 60), profile))
    assert photo.read()[0, 0].tolist() == [180, 120, 60] and photo.notes == ()
    photo.save(tmp_path / "b.png", photo.read())
    with Image.open(tmp_path / "b.png") as written:
        assert written.info["icc_profile"] == profile
    buffer = io.BytesIO()
    Image.new("CMYK", SIZE, (0, 255, 0, 0)).save(buffer, "TIFF", icc_profile=cmyk_profile())
    assert "become those of sRGB" in PhotoReader(buffer.getvalue()).notes[0]


def test_large_pictures_that_are_read_by_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyvips", reason="needs intarsia[large]")
    monkeypatch.setattr("intarsia.media.streaming.STREAM_PIXELS", 100)
    path = save(tmp_path / "a.png", "RGB", (180, 120, 60), rgb_profile("Display P3", P3))
    reader = open_image(path)
    assert reader.is_streamed
    monkeypatch.setattr("intarsia.media.streaming.STREAM_PIXELS", 1 << 30)
    whole = open_image(path)
    assert not whole.is_streamed and np.array_equal(reader.read(), whole.read())


def test_stills_beyond_ordinary_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.avif"
    try:
        Image.new("RGB", SIZE, (180, 120, 60)).save(path)
    except (KeyError, OSError):
        pytest.skip("this build of Pillow writes no AVIF")
    data = path.read_bytes()
    assert open_image(path).notes == ()
    at = data.index(b"colrnclx") + 8
    path.write_bytes(data[:at] + struct.pack(">HH", 9, 16) + data[at + 4 :])
    assert "it is HDR (PQ)" in open_image(path).notes[0]
    at = data.index(b"av1C") + 6
    deep = data[:at] + bytes([data[at] | 0x40]) + data[at + 1 :]  # which the decoder itself refuses: its pixels differ
    assert beyond_ordinary(deep) == "of its 10 bits the upper eight are read"


@pytest.mark.parametrize(
    ("chunk", "told"),
    [
        (b"cICP" + bytes([9, 16, 0, 1]), "it is HDR (PQ), and read as if its colours were ordinary ones"),
        (b"cICP" + bytes([9, 18, 0, 1]), "it is HDR (HLG)"),
        (b"cICP" + bytes([12, 13, 0, 1]), "its colours are those of Display P3, and read as if they were sRGB's"),
        (b"cICP" + bytes([1, 13, 0, 1]), ""),
        (b"gAMA" + struct.pack(">I", 100_000), "its values have the gamma 1.00 (of sRGB: 0.45)"),
        (b"gAMA" + struct.pack(">I", 45_455), ""),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_files_that_say_other_colours(tmp_path: Path, chunk: bytes, told: str, dtype: type) -> None:
    Image.fromarray(np.full((30, 40), np.iinfo(dtype).max, dtype)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    body = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "b.png").write_bytes(data[:33] + body + data[33:])
    notes = open_image(tmp_path / "b.png").notes
    assert (told in notes[0]) if told else notes == ()
