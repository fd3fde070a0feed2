"""Photos that are written again: what their files say of them goes along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from intarsia.errors import DataError
from intarsia.media.photos import PhotoReader, photo_suffix

_ORIENTATION, _MAKE, _EXPOSURE, _EXIF = 0x0112, 0x010F, 0x829A, 0x8769


def picture(height: int = 12, width: int = 20) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 10, columns * 8, 90 + 0 * rows], axis=2).astype(np.uint8)


def exif() -> Image.Exif:
    said = Image.Exif()
    said[_ORIENTATION], said[_MAKE] = 6, "A camera"
    said.get_ifd(_EXIF)[_EXPOSURE] = 0.25
    return said


def again(source: Path, target: Path) -> Image.Image:
    photo = PhotoReader(source)
    photo.save(target, photo.read())
    return Image.open(target)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_exif_and_profile_go_along_and_pixels_are_upright(tmp_path: Path, suffix: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = tmp_path / f"a{suffix}"
    Image.fromarray(picture()).save(source, exif=exif().tobytes(), icc_profile=profile)
    written = again(source, tmp_path / f"b{suffix}")
    assert written.size == (12, 20)
    said = written.getexif()
    assert said[_ORIENTATION] == 1
    assert said[_MAKE] == "A camera"
    assert said.get_ifd(_EXIF)[_EXPOSURE] == 0.25
    assert written.info["icc_profile"] == profile


def test_a_tiff_of_the_old_shape_says_nothing_of_the_new_pixels(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    Image.fromarray(picture()).save(source, exif=exif().tobytes())
    written = again(source, tmp_path / "b.png")
    assert np.array_equal(np.asarray(written), np.rot90(picture(), -1))
    assert 273 not in written.getexif()


def test_transparency_stays_with_the_colours_under_it(tmp_path: Path) -> None:
    alpha = np.tile(np.linspace(0, 255, 20).astype(np.uint8), (12, 1))
    Image.fromarray(np.dstack([picture(), alpha])).save(tmp_path / "a.png")
    written = np.asarray(again(tmp_path / "a.png", tmp_path / "b.png"))
    assert np.array_equal(written, np.dstack([picture(), alpha]))
    with pytest.raises(DataError, match=r"a\.png is transparent, and JPEG is not; name a \.png"):
        again(tmp_path / "a.png", tmp_path / "b.jpg")


def test_a_jpeg_is_compressed_as_it_was(tmp_path: Path) -> None:
    Image.fromarray(picture(64, 64)).save(tmp_path / "a.jpg", quality=83, subsampling=0)
    written = again(tmp_path / "a.jpg", tmp_path / "b.jpg")
    first = Image.open(tmp_path / "a.jpg")
    assert written.quantization == first.quantization
    off = np.abs(np.asarray(written).astype(int) - np.asarray(first))
    assert off.max() <= 2


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA"])
def test_every_kind_of_picture_is_written_as_colours(tmp_path: Path, mode: str) -> None:
    source = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.fromarray(picture()).convert(mode).save(source)
    written = again(source, tmp_path / "b.png")
    assert written.mode == ("RGBA" if mode == "LA" else "RGB")
    assert written.size == (20, 12)


def test_what_is_lost_is_said(tmp_path: Path) -> None:
    Image.fromarray((picture()[..., 1].astype(np.uint16) << 8) + 255).save(tmp_path / "deep.png")
    assert any("upper eight" in note for note in PhotoReader(tmp_path / "deep.png").notes)
    Image.fromarray(picture()).convert("CMYK").save(tmp_path / "print.tif", icc_profile=b"of a press")
    assert any("CMYK" in note for note in PhotoReader(tmp_path / "print.tif").notes)


def test_colours_are_those_of_the_profile(tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "none.png")
    assert PhotoReader(tmp_path / "none.png").own((176, 18, 59)) == (176, 18, 59)
    Image.fromarray(picture()).save(tmp_path / "bad.png", icc_profile=b"no profile")
    assert PhotoReader(tmp_path / "bad.png").own((176, 18, 59)) == (176, 18, 59)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(picture()).save(tmp_path / "same.png", icc_profile=srgb)
    assert np.abs(np.subtract(PhotoReader(tmp_path / "same.png").own((176, 18, 59)), (176, 18, 59))).max() <= 1


def test_names() -> None:
    assert photo_suffix(Path("a.JPEG")) == ".jpg"
    assert photo_suffix(Path("a.webp")) == photo_suffix(Path("a")) == ".png"
