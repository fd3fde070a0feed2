"""Zip files of exports: unpacked safely or refused from their directory."""

from __future__ import annotations

import os
import pickle
import stat
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intarsia.annotations import archive
from intarsia.errors import DataError


def packed(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_an_export_is_unpacked_once(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"annotations.xml": b"<a/>", "images/ж.png": b"x", "empty/": b""})
    assert archive.is_zip(path)
    unpacked = archive.unpack(path)
    folder = unpacked.folder
    found = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    assert found == ["annotations.xml", "images/ж.png"]
    assert archive.unpack(path) is unpacked
    assert not archive.is_zip(tmp_path) and not archive.is_zip(folder / "annotations.xml")


def test_a_folder_lasts_as_long_as_its_last_user(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"a.txt": b"a"})
    first, second = archive.unpack(path), archive.unpack(path)
    folder = first.folder
    other = archive.unpack(packed(tmp_path / "b.zip", {"b.txt": b"b"}))
    del first
    assert (folder / "a.txt").read_bytes() == b"a"  # also unpacking another archive removed no folder in use
    del second
    assert not folder.exists() and not folder.parent.exists() and other.folder.is_dir()
    assert archive.unpack(path).folder != folder


def test_a_changed_archive_is_unpacked_anew(tmp_path: Path) -> None:
    old = archive.unpack(packed(tmp_path / "a.zip", {"a.txt": b"old"}))
    new = archive.unpack(packed(tmp_path / "a.zip", {"a.txt": b"newer"}))
    assert (new.folder / "a.txt").read_bytes() == b"newer" and (old.folder / "a.txt").read_bytes() == b"old"


def test_pickled_it_is_the_same_here_and_owns_nothing_elsewhere(tmp_path: Path) -> None:
    unpacked = archive.unpack(packed(tmp_path / "a.zip", {"a.txt": b"a"}))
    assert pickle.loads(pickle.dumps(unpacked)) is unpacked
    folder, data = unpacked.folder, pickle.dumps(unpacked)
    done = run(f"import pickle; print(pickle.loads({data!r}).folder)", tmp_path)
    assert done.stdout.decode().strip() == str(folder) and folder.is_dir()


def run(script: str, temporary: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a script in a process of its own, with its own folder for temporary files."""
    place = os.environ | {"TMPDIR": str(temporary)}
    return subprocess.run([sys.executable, "-c", script], env=place, capture_output=True, check=False)


def test_the_next_process_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    path = packed(tmp_path / "a.zip", {"a.txt": b"a"})
    unpack = (
        f"import os, pathlib; from intarsia.annotations import archive; a = archive.unpack(pathlib.Path({str(path)!r}))"
    )
    assert run(f"{unpack}; os.kill(os.getpid(), 9)", temporary).returncode == -9
    (left,) = temporary.iterdir()
    done = run(f"{unpack}; print(*os.listdir({str(temporary)!r}), sep=' ')", temporary)
    (now,) = done.stdout.decode().split()
    assert now != left.name and now.startswith("intarsia-archive-")
    assert list(temporary.iterdir()) == []  # and a process that ends leaves nothing


def test_errors_leave_nothing(tmp_path: Path) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    unsafe = packed(tmp_path / "a.zip", {"ok.txt": b"", "../a": b"x"})
    unknown = packed(tmp_path / "b.zip", {"notes.txt": b"no annotations"})
    broken = packed(tmp_path / "c.zip", {"a.json": b'{"shapes": [], "imagePath": "a.jpg", "imageHeight": "x"}'})
    script = f"""
import os
from intarsia.annotations import open_annotations
from intarsia.errors import DataError
for path in {[str(unsafe), str(unknown), str(broken)]!r}:
    try:
        list(open_annotations(path))
    except DataError as error:
        print(error)
    print(os.listdir({str(temporary)!r}))
"""
    lines = run(script, temporary).stdout.decode().splitlines()
    assert [line for line in lines if line.startswith("[")] == ["[]"] * 3
    assert (
        "outside the folder" in lines[0]
        and "b.zip: no annotation file of any known tool is in it" in lines[2]
        and "a.json" in lines[4]
    )


@pytest.mark.parametrize("name", ["../a", "x/../../a", "/etc/a", "C:/a", "C:\\a", "..\\a", "\\\\host\\a"])
def test_no_member_leaves_the_folder(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / "a.zip", {"ok.txt": b"", name: b"x"})
    with pytest.raises(DataError, match="outside the folder"):
        archive.unpack(path)


def test_links_and_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="link is a link"):
        archive.unpack(path)
    path = packed(tmp_path / "b.zip", {"x": b"x"})
    data = bytearray(path.read_bytes())
    for start in (b"PK\x03\x04", b"PK\x01\x02"):
        at = data.index(start) + (6 if start == b"PK\x03\x04" else 8)
        data[at] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="x is encrypted"):
        archive.unpack(path)


def test_bombs_are_refused_by_their_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path / "a.zip", {"zeros": bytes(120 << 20)})
    with pytest.raises(DataError, match="as only zip bombs do"):
        archive.unpack(path)
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    with pytest.raises(DataError, match="would unpack to"):
        archive.unpack(path)
    monkeypatch.setattr(archive, "MOST_FILES", 0)
    with pytest.raises(DataError, match="1 files are more than the limit"):
        archive.unpack(path)


def test_a_lying_header_does_not_unpack_more(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"x": bytes(5000)})
    data = bytearray(path.read_bytes())
    for start, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(start) + offset
        data[at : at + 4] = struct.pack("<I", 10)
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        archive.unpack(path)


@pytest.mark.parametrize("names", [("a.txt", "a.txt"), ("a", "a/b"), ("a/b", "a")])
def test_members_in_each_others_way(tmp_path: Path, names: tuple[str, str]) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"x") if name not in file.namelist() else file._writecheck
    if names[0] == names[1]:
        with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning):
            file.writestr(names[0], b"y")
    with pytest.raises(DataError, match=r"one name|cannot be unpacked"):
        archive.unpack(path)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_any_damage_is_refused_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    path = packed(tmp_path / "a.zip", {"a.txt": b"hello" * 20, "b/c.txt": b"x"})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(10, len(content)))])
    try:
        folder = archive.unpack(path).folder
    except DataError as error:
        assert "a.zip" in str(error)
        return
    assert all(file.resolve().is_relative_to(folder.resolve()) for file in folder.rglob("*"))
