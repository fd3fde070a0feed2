"""`intarsia segment` between other programs: standard input, standard output, one file of a video."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import Cli
from PIL import Image
from tiny import TinyRun

from intarsia.cli.main import main
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
