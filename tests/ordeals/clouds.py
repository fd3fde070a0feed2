"""Point clouds."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ordeals.targets import Target, digest, written

from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud
from intarsia.media.clouds.writing import write_labels

COUNT = 90


def cloud() -> PointCloud:
    """Points in a box, with intensity and colours."""
    random = np.random.default_rng(0)
    fields: dict[str, Any] = {"intensity": random.integers(0, 9, COUNT).astype(np.uint16)}
    fields |= {name: random.integers(0, 256, COUNT).astype(np.uint8) for name in ("red", "green", "blue")}
    return PointCloud(random.uniform(0, 9, (COUNT, 3)).round(2), fields, source="made")


def read_points(path: Path) -> str:
    """Read a cloud's coordinates and fields."""
    found = open_cloud(path).read()
    return digest(found.xyz, *(item for name in sorted(found.fields) for item in (name, found.fields[name])))


def read_chunks(path: Path) -> str:
    """Read a cloud chunk by chunk."""
    return digest(*(part.xyz for part in open_cloud(path).chunks(32)))


def write_cloud(path: Path) -> None:
    """A cloud with labels, in a form that its suffix says."""
    from intarsia.media.clouds.cloud import LoadedReader

    labels = (np.arange(COUNT) % 3).astype(np.uint8)
    write_labels(LoadedReader(cloud()), path, labels, LabelSpace(("ground", "tree", "house")))


def _old_las(path: Path) -> None:
    import laspy

    las = laspy.LasData(laspy.LasHeader(point_format=3, version="1.2"))
    las.xyz, las.classification = cloud().xyz, np.arange(COUNT, dtype=np.uint8) % 3
    las.write(str(path), do_compress=path.suffix == ".laz")


def _ply(path: Path, kind: str) -> None:
    table = np.zeros(COUNT, [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1")])
    for axis, name in enumerate("xyz"):
        table[name] = cloud().xyz[:, axis]
    head = f"ply\nformat {kind} 1.0\nelement vertex {COUNT}\n"
    head += "property float x\nproperty float y\nproperty float z\nproperty uchar red\nend_header\n"
    rows = "".join(f"{x:.2f} {y:.2f} {z:.2f} {red}\n" for x, y, z, red in table.tolist())
    path.write_bytes(head.encode() + (rows.encode() if kind == "ascii" else table.tobytes()))


def _pcd(path: Path, kind: str) -> None:
    xyz = cloud().xyz.astype("<f4")
    head = "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\n"
    head += f"WIDTH {COUNT}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {COUNT}\nDATA {kind}\n"
    rows = "".join(f"{x:.2f} {y:.2f} {z:.2f}\n" for x, y, z in xyz.tolist())
    path.write_bytes(head.encode() + (rows.encode() if kind == "ascii" else xyz.tobytes()))


def _hdf5(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("xyz", data=cloud().xyz, compression="gzip", fletcher32=True)
        file.create_dataset("label", data=np.arange(COUNT) % 3)


def _e57(path: Path) -> None:
    import pye57

    file = pye57.E57(str(path), mode="w")
    file.write_scan_raw({f"cartesian{axis}": cloud().xyz[:, index] for index, axis in enumerate("XYZ")})
    file.close()


def _npz(path: Path) -> None:
    np.savez_compressed(path, xyz=cloud().xyz, label=np.arange(COUNT) % 3)


def _kitti(path: Path) -> None:
    np.c_[cloud().xyz, np.zeros(COUNT)].astype("<f4").tofile(path)


def _with_labels(folder: Path) -> Path:
    """Points as text, and their class codes in a file beside them."""
    np.savetxt(folder / "a.txt", cloud().xyz, "%.2f")
    np.savetxt(folder / "a.labels", np.arange(COUNT) % 3, "%d")
    return folder / "a.txt"


def _read_labels(path: Path) -> str:
    return digest(open_cloud(path).read().label)


def targets() -> Iterator[Target]:
    """Every form of cloud."""
    yield Target("cloud.npy", written("a.npy", lambda path: np.save(path, cloud().xyz)), read_points)
    yield Target("cloud.npz", written("a.npz", _npz), read_points, sealed=True)
    yield Target("cloud.txt", written("a.txt", lambda p: np.savetxt(p, cloud().xyz, "%.2f")), read_points, whole=False)
    yield Target("cloud.csv", written("a.csv", write_cloud), read_points, whole=False)
    yield Target("binary.pcd", written("a.pcd", lambda path: _pcd(path, "binary")), read_points)
    yield Target("text.pcd", written("a.pcd", lambda path: _pcd(path, "ascii")), read_points, whole=False)
    yield Target("scan.bin", written("a.bin", _kitti), read_points, whole=False)
    yield Target("binary.ply", written("a.ply", lambda p: _ply(p, "binary_little_endian")), read_points)
    yield Target("text.ply", written("a.ply", lambda path: _ply(path, "ascii")), read_points, whole=False)
    yield Target("codes.labels", _with_labels, _read_labels, whole=False, only="a.labels")
    if importlib.util.find_spec("laspy"):
        yield Target("cloud.las", written("a.las", write_cloud), read_points)
        yield Target("cloud.laz", written("a.laz", write_cloud), read_points)
        yield Target("old.las", written("a.las", _old_las), read_chunks)
        yield Target("old.laz", written("a.laz", _old_las), read_chunks)
    if importlib.util.find_spec("h5py"):
        yield Target("cloud.h5", written("a.h5", _hdf5), read_points)
    if importlib.util.find_spec("pye57"):
        yield Target("cloud.e57", written("a.e57", _e57), read_points, sealed=True)
