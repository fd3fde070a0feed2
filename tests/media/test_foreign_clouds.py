"""Clouds of other machines and scanners: read, or refused with what converts them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from intarsia.errors import DataError
from intarsia.media.clouds import open_cloud, read_cloud
from intarsia.media.medium import expand


def _header(kind: str, points: int) -> bytes:
    lines = ["VERSION 0.7", "FIELDS x y z rgb label", "SIZE 4 4 4 4 2", "TYPE F F F U U", "COUNT 1 1 1 1 1"]
    return ("\n".join([*lines, f"WIDTH {points}", "HEIGHT 1", f"POINTS {points}", f"DATA {kind}"]) + "\n").encode()


def _records(order: str, points: int = 40) -> np.ndarray:
    number = np.dtype("f4").newbyteorder(order)
    records = np.zeros(
        points, [("x", number), ("y", number), ("z", number), ("rgb", f"{order}u4"), ("label", f"{order}u2")]
    )
    random = np.random.default_rng(0)
    for name in "xyz":
        records[name] = random.uniform(-50, 50, points)
    records["x"][0] = np.nan
    records["rgb"], records["label"] = 0x102030, np.arange(points) % 5
    return records


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["binary", "binary_compressed"])
def test_either_order_of_bytes(tmp_path: Path, order: str, kind: str) -> None:
    records = _records(order)
    body = records.tobytes()
    if kind == "binary_compressed":
        plain = b"".join(records[name].tobytes() for name in records.dtype.names or ())
        packed = b"".join(
            bytes([len(plain[at : at + 32]) - 1]) + plain[at : at + 32] for at in range(0, len(plain), 32)
        )
        body = np.array([len(packed), len(plain)], f"{order}u4").tobytes() + packed
    (tmp_path / "a.pcd").write_bytes(_header(kind, len(records)) + body)
    cloud = read_cloud(tmp_path / "a.pcd")
    assert np.array_equal(cloud.xyz[:, 0], records["x"].astype(np.float64), equal_nan=True)
    assert np.array_equal(cloud.xyz[:, 2], records["z"].astype(np.float64))
    assert [int(cloud.fields[name][0]) for name in ("red", "green", "blue")] == [16, 32, 48]
    assert cloud.label is not None and cloud.label.tolist() == [number % 5 for number in range(len(records))]
    assert cloud.notes == (("its numbers have their highest byte first (big-endian)",) if order == ">" else ())


@pytest.mark.parametrize(
    ("name", "advice"),
    [("a.ptx", "CloudCompare -SILENT -O a.ptx"), ("a.rcs", "E57"), ("scan.fls", "E57"), ("m.OBJ", "-SAMPLE_MESH")],
)
def test_formats_of_scanners_and_meshes_are_refused_with_what_converts_them(
    tmp_path: Path, name: str, advice: str
) -> None:
    path = tmp_path / name
    path.write_text("4\n3\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n")
    for refused in (lambda: expand(path), lambda: open_cloud(path), lambda: expand(tmp_path)):
        with pytest.raises(DataError, match=rf"{name}: it is .*{advice}|cannot use .*{name}: it is .*{advice}"):
            refused()
    (tmp_path / "b.xyz").write_text("0 0 0\n1 1 1\n")
    found = expand(tmp_path)
    assert [item.name.name for item in found.items] == ["b.xyz"] and advice in found.notes[0]
