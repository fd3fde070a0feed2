"""PLY: what is written by hand is read, in each format; what is damaged is named."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.errors import DataError
from intarsia.media.clouds import PointCloud, read_cloud
from intarsia.media.clouds.ply import read_ply, write_ply

KINDS = {
    "char": "b", "uchar": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I", "float": "f", "double": "d",
    "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "float32": "f", "float64": "d",
}  # fmt: skip
FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}

Value = float | int | list[Any]
Elements = dict[str, tuple[dict[str, str], list[list[Value]]]]


def ply(kind: str, elements: Elements, end: str = "\n") -> bytes:
    """Write a PLY file value by value: rows by element, whose properties are a type or "LENGTH TYPE" of a list."""
    head, body = ["ply", f"format {kind} 1.0", "comment by hand"], b""
    for name, (properties, rows) in elements.items():
        head.append(f"element {name} {len(rows)}")
        head += [f"property {'list ' if ' ' in said else ''}{said} {one}" for one, said in properties.items()]
        for row in rows:
            cells: list[str] = []
            for said, value in zip(properties.values(), row, strict=True):
                *length, number = said.split()
                values = value if isinstance(value, list) else [value]
                form = (KINDS[length[0]] if length else "") + KINDS[number] * len(values)
                given = [len(values), *values] if length else values
                cells += [repr(one) for one in given]
                body += struct.pack(FORMATS[kind] + form, *given) if FORMATS[kind] else b""
            body += b"" if FORMATS[kind] else f"{' '.join(cells)}{end}".encode()
    return (end.join([*head, "end_header", ""])).encode() + body


PLACE = {"x": "float", "y": "float", "z": "double"}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_format_and_type(tmp_path: Path, kind: str, end: str) -> None:
    vertex = PLACE | {f"of_{name}": name for name in KINDS}
    rows = [[1.5, -2.0, 3.25, *range(16)], [0.5, 8.0, -1e-3, *(100 - number for number in range(16))]]
    (tmp_path / "a.ply").write_bytes(ply(kind, {"vertex": (vertex, rows)}, end))  # type: ignore[dict-item]
    found = read_ply(tmp_path / "a.ply")
    assert found.xyz.tolist() == [[1.5, -2.0, 3.25], [0.5, 8.0, -1e-3]]
    for place, (name, code) in enumerate(KINDS.items()):
        values = found.fields[f"of_{name}"]
        assert values.tolist() == [place, 100 - place] and values.dtype == np.dtype(code) and values.dtype.isnative


@pytest.mark.parametrize("kind", FORMATS)
def test_other_elements_and_lists_are_passed_over(tmp_path: Path, kind: str) -> None:
    corners: list[list[Value]] = [[[0, 1, 2], 7], *([[3, 4, 5], 8] for _ in range(200)), [[], 9], [[5, 6], 1]]
    elements: Elements = {
        "camera": ({"near": "float"}, [[0.5]]),
        "face": ({"vertex_indices": "uchar int", "material": "ushort"}, corners),
        "nothing": ({}, []),
        "vertex": (PLACE | {"near": "int uint", "label": "uchar"}, [[1, 2, 3, [4], 5], [6, 7, 8, [9, 10], 11]]),
        "edge": ({"a": "int"}, [[1]]),
    }
    (tmp_path / "a.ply").write_bytes(ply(kind, elements))
    found = read_ply(tmp_path / "a.ply")
    assert found.xyz.tolist() == [[1, 2, 3], [6, 7, 8]] and "near" not in found.fields
    assert found.label is not None and found.label.tolist() == [5, 11]


@pytest.mark.parametrize("kind", ["ascii", "binary_big_endian"])
def test_the_field_of_labels_by_name(tmp_path: Path, kind: str) -> None:
    vertex = PLACE | {"scalar_Label": "float", "kind": "uchar"}
    path = tmp_path / "a.ply"
    path.write_bytes(ply(kind, {"vertex": (vertex, [[0, 0, 0, 3, 8], [0, 0, 0, 4, 9]])}))
    found, named = read_cloud(path).label, read_cloud(path, label="kind").label
    assert found is not None and found.tolist() == [3, 4]
    assert named is not None and named.tolist() == [8, 9]
    with pytest.raises(DataError, match=r"no field 'sort'.*scalar_Label, kind"):
        read_cloud(path, label="sort")


POINT = "property float x\nproperty float y\nproperty float z\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no ply at all", "header does not end"),
        ("plx\n", "first line is not 'ply'"),
        ("ply\nelement vertex 0\nend_header\n", "does not say the format"),
        ("ply\nformat ascii 1.0\nend_header\n", "no vertices"),
        ("ply\nformat ascii 1.0\nelement vertex -1\nend_header\n", "'element vertex -1'"),
        ("ply\nformat ascii 1.0\nelement vertex 0\nproperty int x\nproperty int x\nend_header\n", "named x"),
        ("ply\nformat ascii 1.0\nelement vertex 1\nproperty half x\nend_header\n1\n", "'property half x'"),
        (
            "ply\nformat binary_little_endian 1.0\nelement vertex 4000000000\nproperty float x\nend_header\n",
            "claims 4,0",
        ),
        (f"ply\nformat ascii 1.0\nelement vertex 1\n{POINT}end_header\n1 2 three\n", "three"),
        (f"ply\nformat ascii 1.0\nelement vertex 2\n{POINT}end_header\n1 2 3 4 5 6\n", "ends after 1 of 2 rows"),
        (f"ply\nformat ascii 1.0\nelement vertex 1\n{POINT}end_header\n1 2 3 4\n", "4 numbers instead of 3"),
        ("ply\nformat ascii 1.0\nelement vertex 1\nproperty uchar x\nend_header\n256\n", "from 0 to 255"),
        (
            "ply\nformat ascii 1.0\nelement face 1\nproperty list int int a\nelement vertex 0\nend_header\n-5 1\n",
            "-5 numbers",
        ),
        (
            "ply\nformat binary_big_endian 1.0\nelement face 1\nproperty list int int a\nelement vertex 0\n"
            "end_header\n\x7f\x7f\x7f\x7f\x01\x01\x01\x01",
            "longer than the file",
        ),
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.ply").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.ply: not a readable PLY file") as raised:
        read_ply(tmp_path / "a.ply")
    assert said in str(raised.value)


@given(st.data(), st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, count: int) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    kinds = data.draw(st.lists(st.sampled_from(["u1", "i2", "u4", "f4", "f8", "?"]), max_size=4))
    columns = {f"f{place}": (random.random(count) * 200).astype(kind) for place, kind in enumerate(kinds)}
    cloud = PointCloud(xyz=random.normal(size=(count, 3)) * 1e6)
    path = tmp_path_factory.mktemp("ply") / "a.ply"
    assert write_ply(path, cloud, columns) == []
    found = read_ply(path)
    assert found.xyz.tobytes() == cloud.xyz.tobytes()
    for name, values in columns.items():
        assert found.fields[name].tolist() == values.tolist()
