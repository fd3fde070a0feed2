"""What a user's files, places, names and signals cause is told as that, and never as a defect."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from commands import Cli
from PIL import Image

from intarsia.cli.main import main
from intarsia.errors import DataError, ModelError
from intarsia.failures import explained
from intarsia.stopping import interrupted_by_signals, stop_on_signals

ODD = os.fsdecode(b"gr\xfcn")  # Latin-1, as old archives and sticks give


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A small data set whose files and folder have names that are no UTF-8."""
    data = tmp_path / os.fsdecode(b"h\xe4user")
    for part in ("images", "masks"):
        (data / part).mkdir(parents=True)
    for index in range(4):
        mask = np.zeros((32, 48), np.uint8)
        mask[8:20, 8 + index : 30] = 1
        Image.fromarray(mask).save(data / "masks" / f"{ODD}{index}.png")
        Image.fromarray(np.stack([mask * 90, mask + 60, mask], 2)).save(data / "images" / f"{ODD}{index}.png")
    return data


def test_names_that_are_no_text(cli: Cli, odd: Path, tmp_path: Path) -> None:
    found = cli.json("data", "check", odd)
    assert found["errors"] == []
    assert cli("data", "info", odd) == 0
    assert r"h\udce4user" in cli.out
    assert cli("data", "show", odd, "-o", tmp_path / "show.jpg") == 0
    assert cli("metrics", odd / "masks", odd / "masks", "-o", tmp_path / "scores") == 0
    table = (tmp_path / "scores" / "images.csv").read_text(encoding="utf-8")
    assert table.splitlines()[1] == r"gr\udcfcn0,1,1"


@pytest.mark.parametrize(
    "command",
    [
        ("metrics", "masks", "masks", "-o", "file/scores"),
        ("data", "show", ".", "-o", "file/show.jpg"),
        pytest.param(
            ("train", ".", "-r", "unet", "-o", "file/run", "--set", "model.weights=none"), marks=pytest.mark.needs_torch
        ),
        pytest.param(("train", ".", "-r", "svm", "-o", "file/run"), marks=pytest.mark.needs_torch),
        ("recipes", "copy", "unet", "-o", "file/unet.yaml"),
    ],
    ids=" ".join,
)
def test_places_that_cannot_be_made(
    cli: Cli, odd: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(odd)
    Path("file").write_text("x")
    assert cli(*command) == 3
    assert re.search(r"file/\w+.*\bis a file", cli.err)
    assert "defect" not in cli.err


@pytest.mark.needs_torch
def test_a_name_that_leaves_no_room_for_the_results_fails_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.png", "n" * 251 + ".png", "z.png"):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "in" / name)
    for _ in range(2):  # also when it is gone on with
        assert cli("segment", tmp_path / "in", "-m", "kmeans", "-o", tmp_path / "out", "--write", "labels") == 1
        assert re.search(r"failed: .*n\.png: .*the name is too long for this file system; choose a shorter", cli.err)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["a.mask.png", "z.mask.png"]


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (OSError(errno.ENOSPC, "No space left", "out/a.png"), DataError, "out/a.png: the disk is full; free some"),
        (OSError(errno.EIO, "Input/output error", b"in/a.png"), DataError, "in/a.png: the disk or the connection to"),
        (OSError(errno.ELOOP, "Too many links", "a"), DataError, "a: a link leads back to itself"),
        (OSError(errno.ENODEV, "No such device"), DataError, "No such device"),
        (OSError("broken data stream"), DataError, "broken data stream"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), DataError, "save it as UTF-8"),
        (MemoryError("Unable to allocate 9 GiB"), ModelError, "not enough memory (Unable to allocate 9 GiB)"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), ModelError, "--tile"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), DataError, "training.workers=0"),
    ],
)
def test_what_no_room_explains(error: Exception, kind: type[Exception], message: str) -> None:
    found = explained(error)
    assert type(found) is kind
    assert message in str(found)


def test_defects_stay_defects() -> None:
    assert explained(ValueError("x")) is None
    assert explained(RuntimeError("shapes differ")) is None


def test_sigterm_interrupts_like_ctrl_c() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with interrupted_by_signals() as terminated:
        assert not terminated()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        assert terminated()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupt_that_got_lost_stops_the_next_step(number: int) -> None:
    with interrupted_by_signals():
        with suppress(KeyboardInterrupt):  # as a finaliser of Python's does
            signal.raise_signal(number)
        with stop_on_signals() as stop:
            assert stop()
            assert list(stop.each([1, 2])) == []
    with stop_on_signals() as stop:
        assert not stop()


@pytest.mark.parametrize(("number", "came"), [(signal.SIGTERM, True), (signal.SIGINT, False)])
def test_a_signal_that_a_job_takes_is_known_outside(number: int, came: bool) -> None:
    with interrupted_by_signals() as terminated, stop_on_signals() as stop:
        signal.raise_signal(number)
        assert stop()
    assert terminated() is came


def test_ctrl_c_while_the_program_is_loaded_ends_in_a_sentence() -> None:
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # programs in the background begin without
        "class Interrupting:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'intarsia.cli.main':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from intarsia.__main__ import main\n"
        "sys.exit(main())\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 130
    assert ended.stderr == "interrupted; nothing was left half-written\n"


@pytest.mark.parametrize(
    "arguments", [["segment", ""], ["segment", "a.png", "-o", ""], ["train", ""], ["segment", "a.png", "-m", ""]]
)
def test_an_empty_argument_is_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert 'an argument is empty (""): is a variable of the shell unset?' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
