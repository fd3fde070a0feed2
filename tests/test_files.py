"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from intarsia.errors import DataError, UsageError
from intarsia.files import atomic_path, below, listed_once, local, sweep, within, write_json, write_text


def test_writes_and_makes_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b.txt", "grün\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "grün\n".encode()
    write_json(tmp_path / "c.json", {"name": "grün", "n": 1})
    assert (tmp_path / "c.json").read_text(encoding="utf-8") == '{\n  "name": "grün",\n  "n": 1\n}\n'
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b.txt", "c.json"]


def test_the_temporary_name_keeps_the_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "mask.png") as temporary:
        assert temporary.suffix == ".png"
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"x")
    assert os.listdir(tmp_path) == ["mask.png"]


@pytest.mark.parametrize("failure", [RuntimeError("boom"), KeyboardInterrupt(), SystemExit(1)])
def test_a_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path, failure: BaseException) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(type(failure)), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise failure
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EFBIG, "larger than this system or its limits allow"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "the file system is read-only"),
    ],
)
def test_system_errors_are_explained(tmp_path: Path, code: int, message: str) -> None:
    with pytest.raises(DataError, match=f"cannot write .*a.txt: .*{message}"), atomic_path(tmp_path / "a.txt") as path:
        path.write_text("half")
        raise OSError(code, os.strerror(code))
    assert os.listdir(tmp_path) == []


def test_targets_that_cannot_be_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="a part of the path is a file"):
        write_text(tmp_path / "file" / "a.txt", "x")
    with pytest.raises(DataError, match="a part of the path is a file"):
        write_text(tmp_path / "file" / "b" / "a.txt", "x")
    with pytest.raises(DataError, match="a folder has this name"):
        write_text(tmp_path / "folder", "x")
    with pytest.raises(DataError, match="name is too long"):
        write_text(tmp_path / ("n" * 300), "x")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "gone").symlink_to("nowhere/a.txt")
    before = {name: os.lstat(tmp_path / name) for name in ("pipe", "loop", "gone")}
    for name, status in before.items():
        with pytest.raises(DataError, match=f"cannot write .*{name}: it is a device, a pipe or a broken link; choose"):
            write_text(tmp_path / name, "x")
        assert os.lstat(tmp_path / name) == status
    assert len(os.listdir(tmp_path)) == 3


def test_a_full_disk_is_told_by_the_name_of_the_result(tmp_path: Path) -> None:
    source, target = tmp_path / "from" / "a.png", tmp_path / "to" / "a.png"
    with pytest.raises(DataError, match=f"cannot write {target}: the disk is full"), atomic_path(target) as temporary:
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(temporary))


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a place that nobody can write into")
def test_the_system_is_asked_before_a_library_writes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write /proc/a\.tif: "), atomic_path("/proc/a.tif"):
        pytest.fail("the library was asked to write")  # it might say "corrupt"
    with atomic_path(tmp_path / "a.tif") as temporary:
        assert temporary.read_bytes() == b""


def test_pipes_are_no_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").touch()
    assert [path.name for path in below(tmp_path)] == ["b.png"]
    with pytest.raises(UsageError, match=r"cannot read .*a\.png: it is a pipe, no file; save it first, or pipe it"):
        local(tmp_path / "a.png")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # the names of sockets are short
        listening.bind("b.sock")
    for name, kind in (("b.sock", "a socket"), ("/dev/null", "a device")):
        with pytest.raises(UsageError, match=f"cannot read .*{name}: it is {kind}, no file"):
            local(name)


@pytest.mark.skipif(os.name == "nt", reason="there, nobody can tell whether a process lives")
def test_what_killed_processes_left_is_swept(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / "in").mkdir()
    left = [tmp_path / "in" / f".a.{gone.pid}-0a1b2c.tmp.png", tmp_path / f".b c.{gone.pid}-0a1b2c.tmp.json"]
    kept = [
        tmp_path / "in" / name
        for name in (f".a.{os.getpid()}-0a1b2c.tmp.png", ".a.x-0a1b2c.tmp.png", "a.1-0a1b2c.tmp.png")
    ]
    for path in (*left, *kept):
        path.touch()
    sweep(tmp_path / "in")
    assert not left[0].exists() and left[1].exists()
    sweep(tmp_path / "b c.json")
    assert not left[1].exists() and all(path.exists() for path in kept)


def test_a_folder_is_listed_once_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with listed_once():
        first = list(below(tmp_path))
        (tmp_path / "b.txt").touch()
        with listed_once():  # a question within a question is about the same state
            assert list(below(tmp_path)) == first == [tmp_path / "a.txt"]
        assert list(below(tmp_path)) == first
    assert list(below(tmp_path)) == [tmp_path / "a.txt", tmp_path / "b.txt"]


def test_a_folder_that_others_remove_when_it_is_empty_is_made_again(tmp_path: Path) -> None:
    """Workers of one job do: each removes the folder of claims when the last claim in it is gone."""
    folder = tmp_path / "made" / "claims"
    over = threading.Event()

    def tidy() -> None:
        while not over.is_set():
            with suppress(OSError):
                folder.rmdir()
            over.wait(1e-5)  # without, the two threads may take turns at each step, as processes do not

    thread = threading.Thread(target=tidy)
    thread.start()
    try:
        for number in range(2000):
            claim = folder / str(number)
            within(folder, claim.touch)
            claim.unlink()
    finally:
        over.set()
        thread.join()


def test_what_is_no_folder_stays_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError):
        within(tmp_path / "file", (tmp_path / "file" / "claim").touch)
    with pytest.raises(FileNotFoundError):
        within(tmp_path, (tmp_path / "missing" / "claim").touch)
    assert (tmp_path / "file").read_text() == "mine"
