"""Names of columns that tools give to coordinates, colours and class codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from intarsia.errors import DataError
from intarsia.media.clouds.opening import read_cloud

RANDOM = np.random.default_rng(0)
XYZ = RANDOM.uniform(0, 50, (50, 3)).round(3)
RGB = RANDOM.integers(0, 256, (50, 3))
CODES = RANDOM.integers(0, 5, 50)


def write_csv(path: Path, head: str, *parts: np.ndarray, encoding: str = "utf-8", mark: str = ",") -> Path:
    rows = np.column_stack(parts)
    path.write_text("\n".join([head, *(mark.join(f"{cell:g}" for cell in row) for row in rows)]), encoding=encoding)
    return path


@pytest.mark.parametrize(
    "head",
    [
        "x,y,z,r,g,b,semantic_gt",
        "E,N,H,colour_r,colour_g,colour_b,class_id",
        "pos_x,pos_y,pos_z,rgb_r,rgb_g,rgb_b,gt",
        '"Points:0","Points:1","Points:2","RGB:0","RGB:1","RGB:2",label_id',
        "easting,northing,height,Color Red,Color Green,Color Blue,Klasse",
        "Rechtswert,Hochwert,Höhe,R,G,B,label",
    ],
)
def test_names_of_tools(tmp_path: Path, head: str) -> None:
    cloud = read_cloud(write_csv(tmp_path / "a.csv", head, XYZ, RGB, CODES))
    assert np.allclose(cloud.xyz, XYZ, atol=1e-3)
    assert (cloud.colors() == RGB).all()
    assert cloud.label is not None
    assert (cloud.label == CODES).all()


def test_a_height_above_ground_beside_z_is_no_coordinate(tmp_path: Path) -> None:
    cloud = read_cloud(write_csv(tmp_path / "a.csv", "x,y,z,height,e", XYZ, CODES, CODES))
    assert np.allclose(cloud.xyz, XYZ, atol=1e-3)
    assert set(cloud.fields) == {"height", "e"}


@pytest.mark.parametrize("label", ["y", "labels"])
def test_y_beside_positions_is_no_coordinate(tmp_path: Path, label: str) -> None:
    arrays = {"pos": XYZ, "color": RGB.astype(np.uint8), "y": CODES, label: CODES}
    np.savez(tmp_path / "a.npz", **arrays)
    cloud = read_cloud(tmp_path / "a.npz")
    assert (cloud.xyz == XYZ).all()
    assert cloud.label is not None
    assert (cloud.label == CODES).all()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    cloud = read_cloud(write_csv(tmp_path / "a.csv", "x;y;z;label", XYZ, CODES, encoding=encoding, mark=";"))
    assert np.allclose(cloud.xyz, XYZ, atol=1e-3)


def test_a_turned_array_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.column_stack([XYZ, RGB, CODES]).repeat(3, axis=0).T)
    with pytest.raises(DataError, match=r"its array is \(7, 150\), so that each point seems to be a column"):
        read_cloud(tmp_path / "a.npy")


def test_codes_in_a_file_beside(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.txt", np.column_stack([XYZ, CODES * 90 + 0.5, RGB]), fmt="%.3f")
    np.savetxt(tmp_path / "a.labels", CODES, fmt="%d")
    cloud = read_cloud(tmp_path / "a.txt")
    assert cloud.label is not None
    assert (cloud.label == CODES).all()
    assert cloud.notes[-1] == "its class codes are those in a.labels"
    (tmp_path / "a.labels").write_text("1\n2\n")
    with pytest.raises(DataError, match=r"2 class codes for the 50 points of a\.txt"):
        read_cloud(tmp_path / "a.txt")
    (tmp_path / "a.labels").write_text("ground\n")
    with pytest.raises(DataError, match=r"not the class codes of a\.txt"):
        read_cloud(tmp_path / "a.txt")
