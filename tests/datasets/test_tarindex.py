"""Finding files in tar archives: as Python's own module does, and nothing that is cut off, linked or leads outside."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intarsia.datasets.tarindex import entries
from intarsia.errors import DataError

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
NAMES = ("a.jpg", "./b/a.mask.png", "c/" + "long" * 22 + "/" + "name" * 20 + ".png", "empty.txt", "last.png")


def write(path: Path, members: list[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT, kind: bytes = b"0") -> Path:
    with tarfile.open(path, "w", format=form) as archive:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(content), kind
            entry.linkname = "elsewhere" if kind in b"12" else ""
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.parametrize("form", FORMATS)
def test_every_file_is_found_where_it_lies(form: str, tmp_path: Path) -> None:
    members = [(name, bytes([n]) * (513 * n)) for n, name in enumerate(NAMES)][::-1]
    if form != "ustar":
        members += [("d/" + "x" * 300 + ".png", b"far"), ("grün.png", b"green")]
    path = write(tmp_path / "a.tar", members, FORMATS[form])
    found = list(entries(path))
    content = path.read_bytes()
    assert [(one.name, content[one.offset :][: one.size]) for one in found] == [
        (name.removeprefix("./"), data) for name, data in members
    ]


def test_folders_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        folder = tarfile.TarInfo("b")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name in ("b/._a.jpg", "__MACOSX/a.jpg", "b/a.jpg"):
            archive.addfile(tarfile.TarInfo(name))
    assert [one.name for one in entries(tmp_path / "a.tar")] == ["b/a.jpg"]


@pytest.mark.parametrize("name", ["/etc/a.png", "../a.png", "a/../../b.png", "a\\..\\b.png", "C:/a.png"])
def test_a_name_that_leads_outside_is_refused(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", [(name, b"x")])
    with pytest.raises(DataError, match=f"refused: {re.escape(repr(name))} leads out of the archive"):
        list(entries(path))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.tar: x\.png is a link or a special file, not a plain one"):
        list(entries(write(tmp_path / "a.tar", [("x.png", b"")], kind=kind)))


def test_what_is_no_archive_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", [("a.png", bytes(3000)), ("b.png", bytes(3000))])
    content = path.read_bytes()
    wrong = {
        "the archive is empty or cut off": b"",
        "not a tar archive, or damaged at byte 0": b"hello" * 200,
        "the archive is compressed, so that nothing in it can be found": b"\x1f\x8b" + bytes(600),
        r"b\.png has 3,000 bytes, but the archive ends before; copy it again": content[:5000],
        "not a tar archive, or damaged at byte 3584": content[:3600] + b"?" + content[3601:],
    }
    for message, damaged in wrong.items():
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=message):
            list(entries(path))
    with pytest.raises(DataError, match="cannot be read"):
        list(entries(tmp_path / "none.tar"))


def test_a_header_that_lies_about_sizes_costs_nothing(tmp_path: Path) -> None:
    """A size in binary of 2^80 bytes, and a name of 8 GiB; checksums are right."""
    path = write(tmp_path / "a.tar", [("a.png", b"x")])
    block = bytearray(path.read_bytes()[:512])

    def with_size(size: bytes, kind: bytes) -> bytes:
        block[124:136], block[156:157], block[148:156] = size, kind, b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        return bytes(block)

    path.write_bytes(with_size(b"\x80" + (1 << 80).to_bytes(11, "big"), b"0") + bytes(2048))
    with pytest.raises(DataError, match="but the archive ends before"):
        list(entries(path))
    path.write_bytes(with_size(b"77777777777\0", b"x") + bytes(2048))
    with pytest.raises(DataError, match="a name at byte 0 takes 8,589,934,591 bytes"):
        list(entries(path))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 4095), value=st.integers(0, 255), cut=st.integers(0, 4095), mend=st.booleans())
def test_any_damage_parses_or_says_why(place: int, value: int, cut: int, mend: bool, tmp_path: Path) -> None:
    """Also where the damaged header's checksum is made right again."""
    path = write(tmp_path / "a.tar", [("a" * 120 + ".png", b"x" * 700), ("b.png", b"y")])
    content = bytearray(path.read_bytes())
    content[place] = value
    if mend and place < 512:
        content[148:156] = b" " * 8
        content[148:156] = b"%06o\0 " % sum(content[:512])
    path.write_bytes(content[: len(content) - cut])
    try:
        found = list(entries(path))
    except DataError:
        return
    assert all(one.offset + one.size <= len(content) - cut for one in found)
