"""Damaged chunks of LAZ are found before a decoder asks for the memory that they claim."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud, read_cloud, write_labels
from intarsia.media.clouds.lazchunks import Compression

pytest.importorskip("lazrs")
FILES = (
    "ign_lidarhd/test_data_77050_627760_LA93_IGN69.laz",
    "ign_lidarhd/test_data_77055_627755_LA93_IGN69_extra_dims.laz",
    "ign_lidarhd/semis_2022_0906_6665.laz",
    "laspy_tests/simple.copc.laz",
    "laspy_tests/autzen_trim.laz",
)
# x, y and z, returns and so on in nine layers (30 bytes), colour in one (6 bytes).
FIRST, LAYERS = 36, 10


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Two chunks of layers: 60,000 points in chunks of 50,000."""
    random = np.random.default_rng(0)
    fields = {name: random.integers(0, 65536, 60_000).astype(np.uint16) for name in ("red", "green", "blue")}
    cloud = PointCloud(random.uniform(0, 100, (60_000, 3)), fields, color_max=65535.0)
    path = tmp_path / "made.laz"
    write_labels(open_cloud(cloud), path, np.zeros(60_000, np.uint8), LabelSpace(("ground",)))
    return path


def places(content: bytes) -> tuple[int, int]:
    """Where the points begin (with the place of the table), and the table."""
    points: int = struct.unpack_from("<I", content, 96)[0]
    table: int = struct.unpack_from("<q", content, points)[0]
    return points, table


def changed(path: Path, place: int, form: str, *values: int) -> Path:
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, place, *values)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", FILES)
def test_real_files_pass(real_data: Path, name: str) -> None:
    reader = open_cloud(real_data / "clouds" / name)
    assert len(reader.read()) == reader.count > 1000


@pytest.mark.parametrize("layer", range(LAYERS))
def test_size_of_a_layer(made: Path, layer: int) -> None:
    points, _ = places(made.read_bytes())
    start = points + 8 + FIRST
    assert struct.unpack_from("<I", made.read_bytes(), start)[0] == 50_000
    changed(made, start + 4 + 4 * layer, "<I", 0xFFFFFFF0)
    with pytest.raises(DataError, match=r"made\.laz: .*layers of 4,29\d,\d{3},\d{3} bytes in chunk 1 of"):
        open_cloud(made)


def test_sizes_in_the_table(made: Path) -> None:
    _, table = places(made.read_bytes())
    found = set()
    for place in range(table + 8, len(made.read_bytes())):
        copy = made.with_name("table.laz")
        copy.write_bytes(made.read_bytes())
        changed(copy, place, "B", made.read_bytes()[place] ^ 0xFF)
        try:
            read_cloud(copy)
        except DataError as error:
            found.add(str(error).partition("header claims ")[2].partition(" of")[0])
    assert "chunks" in found


def test_more_points_than_the_chunks_hold(made: Path) -> None:
    changed(made, 247, "<Q", 100_001)
    with pytest.raises(DataError, match="100,001 points in chunks of 100,000"):
        open_cloud(made)


def test_more_chunks_than_points_need(made: Path) -> None:
    _, table = places(made.read_bytes())
    changed(made, table + 4, "<I", 0x7FFFFFFF)
    with pytest.raises(DataError, match="2,147,483,647 chunks where 2 hold all points"):
        open_cloud(made)


def test_a_table_whose_place_stands_at_the_end(made: Path) -> None:
    """As writers leave it that cannot go back in their output."""
    expected = read_cloud(made).xyz
    points, table = places(made.read_bytes())
    made.write_bytes(made.read_bytes() + struct.pack("<q", table))
    assert np.array_equal(read_cloud(changed(made, points, "<q", -1)).xyz, expected)
    changed(made, len(made.read_bytes()) - 8, "<q", 1 << 40)
    with pytest.raises(DataError, match=r"a table of chunks at byte 1,099,511,627,776 of"):
        open_cloud(made)


def test_items_that_no_point_has(made: Path) -> None:
    record = made.read_bytes().index(b"laszip encoded") + 52
    assert struct.unpack_from("<HHHHH", made.read_bytes(), record + 32) == (2, 10, 30, 3, 11)
    changed(made, record + 34, "<H", 11)  # colour of 30 bytes
    with pytest.raises(DataError, match=r"compressed items \(kind, bytes\) \(11, 30\), \(11, 6\)"):
        open_cloud(made)


@pytest.mark.parametrize(
    ("items", "layered", "known"),
    [
        (((10, 30), (12, 8), (14, 5)), True, True),
        (((6, 20), (7, 8), (8, 6), (0, 3)), False, True),
        (((10, 30), (8, 6)), False, False),
        (((6, 21),), False, False),
        (((99, 4),), False, False),
    ],
)
def test_generations_of_items(items: tuple[tuple[int, int], ...], layered: bool, known: bool) -> None:
    compression = Compression(b"", 50_000, items)
    assert (compression.layered, compression.known) == (layered, known)
