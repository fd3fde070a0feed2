"""`intarsia portrait` and `intarsia background`: what is written, and what commands say."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import Cli
from people import red_disc, red_people
from PIL import Image, ImageCms

import intarsia
from intarsia.media.images import write_image


@pytest.fixture(autouse=True)
def _red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intarsia, "load", lambda *_, **__: red_people())


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "me.jpg"
    write_image(path, red_disc()[0], quality=100)
    return path


def test_a_portrait_is_written_continued_and_told(cli: Cli, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = cli.json("portrait", photo, "-o", out)
    assert told["records"][0]["outputs"] == {"portrait": "me.portrait.jpg"}
    assert told["records"][0]["settings"]["strength"] == 0.6
    assert Image.open(out / "me.portrait.jpg").size == (300, 200)
    assert cli.json("portrait", photo, "-o", out)["skipped"] == [str(photo)]
    assert cli("portrait", photo, "-o", out, "--blur", "0.3") == 2 and "--overwrite" in cli.err
    assert cli("portrait", photo, "-o", out, "--background", "transparent", "--dry-run") == 0


def test_lossless_transparent_and_named_files(cli: Cli, photo: Path, tmp_path: Path) -> None:
    assert cli("portrait", photo, "-o", tmp_path / "cut.png", "--background", "transparent") == 0
    assert Image.open(tmp_path / "cut.png").mode == "RGBA"
    assert cli("portrait", photo, "-o", tmp_path / "out", "--lossless") == 0
    made, given = (np.asarray(Image.open(path)) for path in (tmp_path / "out" / "me.portrait.png", photo))
    np.testing.assert_array_equal(made[80:120, 130:170], given[80:120, 130:170])
    assert cli("portrait", photo, "-o", tmp_path / "cut.jpg", "--background", "transparent") == 2
    assert ".png" in cli.err


def test_turned_photos_and_colour_spaces(cli: Cli, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(red_disc()[0]).save(tmp_path / "turned.jpg", exif=exif, icc_profile=profile)
    assert cli("portrait", tmp_path / "turned.jpg", "-o", tmp_path / "out") == 0
    made = Image.open(tmp_path / "out" / "turned.portrait.jpg")
    assert made.size == (200, 300) and made.info["icc_profile"] == profile
    assert made.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P"])
def test_any_mode(cli: Cli, tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("photo.tif" if mode == "CMYK" else "photo.png")
    Image.fromarray(red_disc()[0]).convert(mode).save(path)
    assert cli("portrait", path, "-o", tmp_path / "out") == (1 if mode == "L" else 0), cli.err


def test_nobody_ends_with_1_and_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    write_image(tmp_path / "sea.png", np.full((40, 60, 3), (20, 20, 230), np.uint8))
    assert cli("portrait", tmp_path / "sea.png", "-o", tmp_path / "out") == 1
    assert "nobody is found" in cli.err and not list((tmp_path / "out").glob("*.jpg"))
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    assert cli("portrait", tmp_path / "broken.jpg", "-o", tmp_path / "out") == 3


def test_what_is_asked_for_is_checked_before_any_work(cli: Cli, photo: Path, tmp_path: Path) -> None:
    assert cli("portrait", photo, "--blur", "2") == 2 and "at most 1" in cli.err
    assert cli("portrait", photo, "--blur", "0.5", "--background", "navy") == 2
    assert cli("portrait", photo, "--background", "nvy") == 2 and "navy" in cli.err
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
    assert cli("portrait", clip, "-o", tmp_path / "out") == 2 and "intarsia background" in cli.err
    assert cli("background", clip, "--with", "navy", "--blur", "0.5") == 2
    assert cli("background", clip, "-o", tmp_path / "out") == 3


def test_a_clip(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs pip install 'intarsia[video]'")
    from filmed import write_clip

    clip = write_clip(tmp_path / "talk.mp4", [cv2.resize(red_disc()[0], (96, 64)) for _ in range(3)])
    told = cli.json("background", clip, "--with", "#ffffff", "-o", tmp_path / "white.mp4")
    assert told["records"][0]["details"]["frames"] == 3 and (tmp_path / "white.mp4").exists()
