"""Label maps in MATLAB files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from intarsia.datasets.matfile import read_mat, read_names
from intarsia.errors import DataError, UsageError

LABELS = np.array([[0, 1, 2], [3, 300, 5]])


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float64])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["4", "5"])
def test_every_type_and_version(dtype: type, packed: bool, form: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"S": LABELS.astype(dtype), "other": 1}, format=form, do_compression=packed and form == "5")
    assert np.array_equal(read_mat(path, "S"), LABELS)
    assert read_mat(path, "S").dtype == np.uint16


def test_fields_of_structures(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"GTcls": {"Segmentation": np.array([[1, 20]], np.uint8)}})
    assert read_mat(path, "GTcls.Segmentation").tolist() == [[1, 20]]
    with pytest.raises(DataError, match=r"has no field 'Boundary' \(GTcls\.Boundary\)"):
        read_mat(path, "GTcls.Boundary")


def test_names_in_a_cell_array(tmp_path: Path) -> None:
    cells = np.empty((1, 2), object)
    cells[0] = ["null", "bag"]
    savemat(tmp_path / "a.mat", {"label_list": cells, "numbers": np.empty((2, 0))})
    assert read_names(tmp_path / "a.mat", "label_list") == ("null", "bag")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([[0.5]]), r"spans 0\.5\.\.0\.5; class values are whole numbers"),
        (np.array([[-1]]), "spans -1..-1"),
        (np.array([[70000]]), "spans 70000"),
        (np.array([[np.nan]]), "spans nan"),
        (np.zeros((2, 2, 2)), "is not a label map"),
        (np.zeros((0, 2)), "is not a label map"),
        ("text", "is not a label map"),
        (np.array([[1j]]), "is not a label map"),
    ],
)
def test_what_is_no_label_map(value: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"S": value})
    with pytest.raises(DataError, match=rf"a\.mat: S {message}"):
        read_mat(path, "S")


def test_wrong_files(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_mat(path, "S")
    savemat(path, {"T": LABELS})
    with pytest.raises(DataError, match="has no variable 'S', only: T"):
        read_mat(path, "S")
    path.write_bytes(b"")
    with pytest.raises(DataError, match="not a MATLAB file, or damaged"):
        read_mat(path, "S")


def test_bombs_are_refused_by_their_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.mat"
    savemat(path, {"S": LABELS}, do_compression=True)
    head = path.read_bytes()[:128]
    inner = zlib.compress(struct.pack("<II", 14, (1 << 31) - 8) + bytes(1000))
    path.write_bytes(head + struct.pack("<II", 15, len(inner)) + inner)
    with pytest.raises(DataError, match="refused: a variable would unpack to 2,147,483,640 bytes"):
        read_mat(path, "S")


def test_without_scipy_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    savemat(tmp_path / "a.mat", {"S": LABELS})
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(UsageError, match=r"intarsia\[mat\]"):
        read_mat(tmp_path / "a.mat", "S")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 400), packed=st.booleans())
def test_any_damage_parses_or_says_why(place: int, value: int, cut: int, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"S": LABELS.astype(np.uint16)}, do_compression=packed)
    content = bytearray(path.read_bytes())
    content[place % len(content)] = value
    path.write_bytes(content[: len(content) - cut % len(content)])
    try:
        found = read_mat(path, "S")
    except DataError:
        return
    assert found.ndim == 2


def test_types_that_do_not_exist_never_reach_scipy(tmp_path: Path) -> None:
    """Its reader takes them for places in a table of pointers, and ends the process."""
    for packed in (False, True):
        for kind in (0, 8, 14, 15, 20, 255):
            path = tmp_path / "a.mat"
            savemat(path, {"S": LABELS.astype(np.uint16)})
            content = bytearray(path.read_bytes())
            content[176] = kind  # of the matrix's numbers
            if packed:
                inner = zlib.compress(bytes(content[128:]))
                content[128:] = struct.pack("<II", 15, len(inner)) + inner
            path.write_bytes(content)
            with pytest.raises(DataError, match=f"no data type has the number {kind}"):
                read_mat(path, "S")
    savemat(path, {"S": LABELS.astype(np.uint16), "T": LABELS})
    content = bytearray(path.read_bytes())
    content[145] |= 8  # complex, so that the next variable would be the imaginary part
    path.write_bytes(content)
    with pytest.raises(DataError, match="an array lacks its numbers"):
        read_mat(path, "S")
