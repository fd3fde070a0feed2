"""What names stand for: links, animations, files without a telling suffix, addresses, and what folders leave out."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.annotations.finding import walk
from intarsia.errors import DataError, UsageError
from intarsia.files import atomic_path, below, local
from intarsia.media.animations import Animation, is_animation
from intarsia.media.medium import PICTURE, VIDEO, expand, medium_of
from intarsia.media.sequence import PictureSequence
from intarsia.media.video import is_video

SHADES = (0, 60, 120, 180)


def picture(path: Path, shade: int = 9) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), (shade, shade, shade)).save(path)
    return path


def names(source: str | Path) -> list[str]:
    return [str(item.name) for item in expand(source).items]


# --- links ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """real/a.png, real/day2 (a link to other/, where b.png is and a link back), real/gone.png (a link to nothing)."""
    picture(tmp_path / "real" / "a.png")
    picture(tmp_path / "other" / "b.png")
    os.symlink(tmp_path / "other", tmp_path / "real" / "day2")
    os.symlink(tmp_path / "real", tmp_path / "other" / "back")
    os.symlink("nothing.png", tmp_path / "real" / "gone.png")
    return tmp_path


def test_links_to_folders_are_followed_but_never_in_a_circle(linked: Path) -> None:
    assert names(linked / "real") == ["a.png", "day2/b.png"]
    assert names(f"{linked}/real/**/[ab].png") == ["a.png", "day2/b.png"]
    assert names(f"{linked}/*/[ab].png") == ["other/b.png", "real/a.png"]
    assert [path.name for path in walk(linked / "real", (".png",)) if path.exists()] == ["a.png", "b.png"]
    assert sum(path.name == "a.png" for path in below(linked)) == 2  # real/ and other/back/, not deeper


def test_only_links(linked: Path) -> None:
    os.symlink(linked / "real", linked / "only")
    assert names(linked / "only") == ["a.png", "day2/b.png"]


def test_patterns_go_through_folders(tmp_path: Path) -> None:
    for name in ("a.png", "x/b.png", "x/y/c.png", "x/.hidden/d.png", ".e.png"):
        picture(tmp_path / name)
    assert names(f"{tmp_path}/**/*.png") == ["a.png", "x/b.png", "x/y/c.png"]
    assert names(f"{tmp_path}/x/**/c.png") == ["y/c.png"]
    assert names(f"{tmp_path}/**/y/*") == ["x/y/c.png"]
    assert names(f"{tmp_path}/?.png") == ["a.png"]


def test_folders_say_what_they_leave_out(linked: Path) -> None:
    (linked / "real" / "v.mp4").write_bytes(b"x")
    for name in ("one.heic", "two.HEIC", "three.nef", "notes.txt"):
        (linked / "real" / name).write_bytes(b"x")
    found = expand(linked / "real")
    assert [item.name.name for item in found.items] == ["a.png", "b.png"]
    assert found.notes == (
        f"{linked}/real also holds 1 video, for instance v.mp4: segment videos by themselves",
        f"{linked}/real also holds pictures that are not read (2 .heic, 1 .nef): convert them to JPEG or PNG",
        f"{linked}/real also holds 1 link to nothing, for instance gone.png",
    )


# --- addresses --------------------------------------------------------------------------------------------------------


def test_addresses_of_files_are_paths(tmp_path: Path) -> None:
    path = picture(tmp_path / "a photo.png")
    for address in (path.as_uri(), f"file://localhost{path.as_uri()[7:]}", f"file:{path}", str(Path(path.as_uri()))):
        assert names(address) == ["a photo.png"] and Path(expand(address).items[0].source) == path
    assert names(f"file://{tmp_path}/*.png") == ["a photo.png"]
    for plain in ("a.png", "C:/a.png", "camera:0", "x:y.png"):
        assert local(plain) == plain


@pytest.mark.parametrize(
    "address", ["https://example.org/a.jpg", "http:/example.org/a.jpg", "s3://b/a.tif", "file://h/a"]
)
def test_the_network_is_not_asked(address: str) -> None:
    said = address.replace(":/e", "://e")
    with pytest.raises(
        UsageError, match=rf"cannot read {said}: nothing is read from the network. .*\| intarsia segment -"
    ):
        expand(address)


def test_a_file_may_be_called_like_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "http:" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert names("http:/a.png") == ["a.png"]


def test_names_may_be_as_long_as_the_file_system_lets_them(tmp_path: Path) -> None:
    for name in ("x" * 251 + ".png", "ä" * 120 + ".mask.png"):
        with atomic_path(tmp_path / name) as first, atomic_path(tmp_path / f"y{name[1:]}") as second:
            assert first != second
            first.write_text("one")
            second.write_text("two")
        assert (tmp_path / name).read_text() == "one"
    assert len(list(tmp_path.iterdir())) == 4


# --- videos -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begins", "expected"),
    [
        (b"\0\0\0\x20ftypisom", True), (b"\0\0\0\x1cftypavif", False), (b"\0\0\0\x1cftypheic", False),
        (b"\x1aE\xdf\xa3", True), (b"RIFF\0\0\0\0AVI ", True), (b"RIFF\0\0\0\0WEBP", False), (b"\0\0\x01\xba", True),
        (b"G" + bytes(187) + b"G" + bytes(187) + b"G", True), (b"G" * 3, False), (b"\x89PNG", False), (b"", False),
    ],
)  # fmt: skip
def test_videos_without_a_telling_suffix(tmp_path: Path, begins: bytes, expected: bool) -> None:
    for name in ("clip", "clip.xyz"):
        (tmp_path / name).write_bytes(begins)
        assert is_video(tmp_path / name) is expected
    (tmp_path / "photo.jpg").write_bytes(begins)
    assert not is_video(tmp_path / "photo.jpg")


@pytest.mark.parametrize("suffix", [".vob", ".m2t", ".qt", ".MTS", ".3g2", ".f4v", ".divx", ".dv"])
def test_suffixes_of_videos(suffix: str) -> None:
    assert is_video(f"clip{suffix}")


def animation(path: Path, **options: object) -> Path:
    frames = [Image.new("RGB", (8, 6), (shade,) * 3) for shade in SHADES]
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".apng"])
def test_animations_are_videos(tmp_path: Path, suffix: str) -> None:
    lossless = {"lossless": True} if suffix == ".webp" else {}
    path = animation(tmp_path / f"a{suffix}", duration=[50, 100, 150, 200], **lossless)
    assert is_animation(path) and medium_of(path) is VIDEO
    source = VIDEO.open(path, None, {})
    assert isinstance(source, Animation)
    assert (source.width, source.height, source.count, source.audio, source.is_live) == (8, 6, 4, None, False)
    assert float(source.rate) == pytest.approx(8)
    for frames in (list(source), list(source)):
        assert [int(frame.image.mean()) for frame in frames] == list(SHADES)
        times = [float(frame.pts * source.time_base) for frame in frames]
        assert np.diff(times) == pytest.approx([0.05, 0.1, 0.15], abs=0.011)


def test_a_single_frame_is_a_picture_and_folders_mix(tmp_path: Path) -> None:
    picture(tmp_path / "still.gif")
    animation(tmp_path / "moves.gif")
    assert [(item.name.name, item.medium) for item in expand(tmp_path).items] == [
        ("moves.gif", VIDEO), ("still.gif", PICTURE)
    ]  # fmt: skip
    assert next(iter(Animation(tmp_path / "moves.gif"))).image.shape == (6, 8, 3)
    assert Animation(tmp_path / "moves.gif").rate == Fraction(10)  # frames that say 0 ms last 100
    (tmp_path / "bad.gif").write_bytes((tmp_path / "moves.gif").read_bytes()[:30])
    assert not is_animation(tmp_path / "bad.gif")
    with pytest.raises(DataError, match="no such file"):
        Animation(tmp_path / "none.gif")


def test_sequences_of_dark_and_bright_pictures_do_not_flicker(tmp_path: Path) -> None:
    paths = []
    for index, level in enumerate((4000, 900, 400)):
        paths.append(tmp_path / f"{index}.png")
        Image.fromarray(np.full((6, 8), level, np.uint16)).save(paths[-1])
    sequence = PictureSequence(paths)
    assert [frame.image.max() for frame in sequence] == [249, 56, 25]
    assert sequence.notes == ["its 16-bit pictures are taken as 12-bit ones, by 3 of them"]
    given = PictureSequence(paths, windows=((0, 8000),))
    assert [frame.image.max() for frame in given] == [128, 29, 13] and given.notes == []


def test_a_series_beside_a_volume_is_a_source_too(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    pytest.importorskip("nibabel")
    from volumes_made import body, write_nifti, write_series

    write_nifti(tmp_path / "east" / "ct.nii.gz", body()[0])
    series = write_series(tmp_path / "west" / "ct", np.zeros((3, 6, 5), np.int16))
    for file in series.iterdir():
        file.rename(file.with_suffix(""))  # as scanners write them
    found = [(item.name.as_posix(), item.medium.name) for item in expand(tmp_path).items]
    assert found == [("east/ct.nii.gz", "volume"), ("west/ct", "volume")]
