"""`intarsia segment` between other programs: standard input, standard output, one file of a video."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import Cli
from PIL import Image
from tiny import TinyRun

from intarsia.cli.main import main
from intarsia.cli.pipes import _suffix
from intarsia.errors import UsageError
from intarsia.jobs import plan
from intarsia.media.images import read_mask


class Pipe(io.TextIOWrapper):
    """Standard input or output that is no terminal."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")


@pytest.fixture
def photo() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 48, 3), dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_a_picture_through_pipes(
    tiny_run: TinyRun, photo: bytes, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ["-m", str(tiny_run.run.folder)]
    (tmp_path / "photo.png").write_bytes(photo)
    assert cli("segment", tmp_path / "photo.png", *model, "-o", tmp_path / "plain.png") == 0
    output = Pipe()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", Pipe(photo))
        patch.setattr(sys, "stdout", output)
        assert main(["segment", "-", *model, "-o", "-"]) == 0
        written = output.buffer.getvalue()  # type: ignore[attr-defined]
    assert written == (tmp_path / "plain.png").read_bytes()  # nothing else is told there
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", Pipe(photo))
        assert main(["segment", "-", *model, "-o", str(tmp_path / "out")]) == 0
    assert np.array_equal(read_mask(tmp_path / "out" / "stdin.mask.png"), read_mask(tmp_path / "plain.png"))


def test_what_cannot_be_piped(
    tiny_run: TinyRun, photo: bytes, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photo.png").write_bytes(photo)
    model = ["-m", tiny_run.run.folder]
    cases: list[tuple[list[str | Path], int, str]] = [
        (["-", "-o", tmp_path], 3, "standard input is empty"),
        ([tmp_path / "photo.png", "-o", "-", "--json"], 2, "--json and -o - would both write to standard output"),
        ([tmp_path / "photo.png", "-o", "-", "--write", "overlay"], 2, "there would be 2 (labels, overlay)"),
        ([tmp_path, tmp_path / "photo.png", "-o", "-"], 2, "the result of one source, and there are 2"),
    ]
    for arguments, code, said in cases:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", Pipe())
            assert cli("segment", *arguments, *model) == code
            assert said in cli.err + cli.out


@pytest.mark.parametrize(
    ("beginning", "suffix"),
    [
        (b"RIFF\x10\0\0\0AVI LIST", ".avi"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", ".webp"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", ".jpg"),
        (b"# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\n", ".pcd"),
        (b"x,y,z,intensity\n1,2,3,4\n", ".xyz"),
        (b"# made by hand\n-1.5 2e3 0.25 7\n", ".xyz"),
        (b"1;2;3\n", ".xyz"),
        (b"1 2\n3 4\n", ""),
        (b'{"a": [1, 2, 3]}', ""),
        (bytes(344) + b"n+1\0", ".nii"),
    ],
)
def test_what_comes_through_a_pipe_is_told_by_its_beginning(beginning: bytes, suffix: str) -> None:
    assert _suffix(beginning) == suffix


def test_a_photo_through_pipes_is_what_the_photo_by_name_is(
    photo: bytes, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.BytesIO()
    Image.open(io.BytesIO(photo)).resize((240, 160)).save(stream, "JPEG")
    (tmp_path / "a.jpg").write_bytes(stream.getvalue())
    assert cli("drive", tmp_path / "a.jpg", "-o", tmp_path) == 0
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", Pipe(stream.getvalue()))
        assert cli("drive", "-", "-o", tmp_path / "out") == 0
    assert (tmp_path / "out" / "stdin.drive.jpg").read_bytes() == (tmp_path / "a.drive.jpg").read_bytes()


@pytest.mark.parametrize(
    "command",
    ["annotations convert a --to coco -o -", "count -", "recipes copy unet -o -", "metrics - b", "data pack a -o -"],
)
def test_commands_that_take_no_pipes_make_no_file_of_that_name(
    command: str, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli(*command.split()) == 2
    assert "neither reads standard input nor writes standard output (-)" in cli.err
    assert not list(tmp_path.iterdir())


def test_a_rehearsal_writes_nothing_to_standard_output(
    tiny_run: TinyRun, photo: bytes, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Pipe()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", Pipe(photo))
        patch.setattr(sys, "stdout", output)
        assert main(["segment", "-", "-m", str(tiny_run.run.folder), "-o", "-", "--dry-run"]) == 0
        assert output.buffer.getvalue() == b""  # type: ignore[attr-defined]


def test_closed_streams_are_empty_ones(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    for closed, command, code, said in (
        ("<&-", "segment - -m street", 3, "standard input is empty"),
        (">&-", "recipes list", 0, ""),
        (">&-", "segment a.png -m street -o -", 2, "standard output, which is closed"),
        ("2>&- >&- <&-", "recipes copy unet -o unet.yaml", 0, ""),
    ):
        line = f"{sys.executable} -m intarsia {command} {closed}"
        ended = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert ended.returncode == code, ended.stderr
        assert said in ended.stderr and "defect" not in ended.stderr
    assert (tmp_path / "unet.yaml").read_text().strip()


def test_nobody_who_reads_ends_a_table_and_a_file_alike(tmp_path: Path, photo: bytes) -> None:
    (tmp_path / "a.png").write_bytes(photo)
    for command in ("recipes list", "recipes list --json", "segment a.png -m street -o -"):
        line = f"{sys.executable} -m intarsia {command} | true; exit ${{PIPESTATUS[0]}}"
        ended = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert ended.returncode == 141, ended.stderr
        assert "Broken pipe" not in ended.stderr


def test_addresses_and_tildes_are_the_places_that_they_mean(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for word in ("--out=~/a.yaml", "-o~/b.yaml", "-o ~/c.yaml", f"-o file://{tmp_path}/home/d%20e.yaml"):
        assert cli("recipes", "copy", "unet", *word.split()) == 0, cli.err
    assert sorted(path.name for path in tmp_path.rglob("*.yaml")) == ["a.yaml", "b.yaml", "c.yaml", "d e.yaml"]
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert cli("recipes", "copy", "unet", "-o", "https://example.org/a.yaml") == 2
    assert "cannot write to https://example.org/a.yaml: nothing is sent over the network" in cli.err
    for command in ("train https://example.org/a.zip", "annotations show http://example.org/a.json", "count ftp://a/b"):
        assert cli(*command.split()) == 2
        assert f"cannot read {command.split()[-1]}: nothing is read from the network" in cli.err
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "e.yaml").touch()  # a folder of that name is one
    assert cli("recipes", "copy", "unet", "-o", "~/e.yaml") == 2
    assert "~/e.yaml exists" in cli.err
    with pytest.raises(UsageError, match=r"cannot write to https://example\.org/out: nothing is sent"):
        plan("a.png", "https://example.org/out")
    assert plan("a.png", f"file://{tmp_path}/out").folder == tmp_path / "out"


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    line = f"mkdir x; cd x; rmdir ../x; {sys.executable} -m intarsia recipes list"
    ended = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 3
    assert "the current folder is no longer there: go to one that is (cd)" in ended.stderr


def test_one_file_of_a_video(tiny_run: TinyRun, tmp_path: Path, cli: Cli) -> None:
    pytest.importorskip("av", reason="video needs intarsia[video]")
    from intarsia.media.video import open_video

    frames = [Image.new("RGB", (48, 32), (shade,) * 3) for shade in (0, 90, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    for name, *write in (
        ("clip.mp4",),
        ("l.mkv", "labels"),
        ("cut.webm", "outlines"),
        ("two.mov", "overlay", "labels"),
    ):
        kinds = [part for kind in write for part in ("--write", kind)]
        assert cli("segment", tmp_path / "a.gif", "-m", tiny_run.run.folder, "-o", tmp_path / name, *kinds) == 0
        assert len(list(open_video(tmp_path / name))) == 3
    assert (tmp_path / "two.mask.mkv").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.gif", "clip.mp4", "cut.webm", "l.mkv", "two.mask.mkv", "two.mov"
    ]  # fmt: skip
