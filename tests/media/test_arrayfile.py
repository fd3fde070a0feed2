"""Arrays whose headers are forged, and files whose lengths are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from intarsia.media.arrayfile import load_array, load_arrays
from intarsia.media.bounded import BoundedFile

VALUES = np.arange(12, dtype=np.int32).reshape(3, 4)


@pytest.mark.parametrize("mapped", [False, True])
def test_arrays(mapped: bool, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    np.savez_compressed(tmp_path / "a.npz", a=VALUES, b=VALUES[0])
    assert np.array_equal(load_array(tmp_path / "a.npy", mapped=mapped), VALUES)
    found = load_arrays(tmp_path / "a.npz")
    assert sorted(found) == ["a", "b"] and np.array_equal(found["b"], VALUES[0])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"(3, 4)", b"(3, 9)", "its header tells of 108 bytes, and there are 48; it is truncated"),
        (b"(3, 4), }         ", b"(3, 999999999999)}", "tells of 11,999,999,999,988 bytes, and there are 48"),
        (b"(3, 4)", b"(3, 4[", "."),
        (b"'<i4'", b"'|O8'", "tells of 96 bytes"),
    ],
)
def test_forged_headers(old: bytes, new: bytes, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    content = (tmp_path / "a.npy").read_bytes()
    assert old in content
    (tmp_path / "a.npy").write_bytes(content.replace(old, new))
    with pytest.raises(ValueError, match=message):
        load_array(tmp_path / "a.npy")


def test_damaged_archives(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=VALUES)
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content.replace(b"(3, 4), }         ", b"(3, 999999999999)}"))
    with pytest.raises(ValueError, match=r"tells of 11,999|CRC"):
        load_arrays(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(content[:90])
    with pytest.raises(ValueError, match="zip"):
        load_arrays(tmp_path / "a.npz")


def test_no_more_is_asked_for_than_there_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    with BoundedFile(tmp_path / "a", 4) as file:
        assert file.read(3) == b"012" and file.read(1 << 62) == b"3456789" and file.read(5) == b""
        file.seek(8)
        assert file.read() == b"89"
