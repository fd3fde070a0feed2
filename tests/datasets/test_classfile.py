"""Class files: names, colours, values."""

from __future__ import annotations

from pathlib import Path

import pytest

from intarsia.datasets.classfile import find_class_file, read_class_file
from intarsia.errors import DataError


@pytest.mark.parametrize(
    ("name", "text", "names", "palette", "values"),
    [
        ("classes.txt", "sky\n\n# a comment\nroad surface\n", ("sky", "road surface"), (), ()),
        ("classes.txt", "\ufeffsky\r\nroad\r\n", ("sky", "road"), (), ()),
        ("labels.txt", "__ignore__\n_background_\ncar", ("_background_", "car"), (), ()),
        ("labels.txt", "0: ground\n7: car\n", ("ground", "car"), (), (0, 7)),
        ("label_colors.txt", "1 2 3\tCow\n192 0 128\t\tArch way", ("Cow", "Arch way"), ((1, 2, 3), (192, 0, 128)), ()),
        ("class_dict.csv", "name,r,g,b\nroad,1,2,3\ncar,4,5,6", ("road", "car"), ((1, 2, 3), (4, 5, 6)), ()),
        ("_classes.csv", "Pixel Value, Class\n0, background\n3, a cat\n", ("background", "a cat"), (), (0, 3)),
        ("class_id_to_name.json", '{"0": "a", "9": "b"}', ("a", "b"), (), (0, 9)),
        ("classes.json", '["a", "b"]', ("a", "b"), (), ()),
        ("classes.json", '{"a": 0, "b": 9}', ("a", "b"), (), (0, 9)),
        ("classes.json", '{"0": "a", "9": "b"}', ("a", "b"), (), (0, 9)),
        ("classes.json", '{"a": [1, 2, 3]}', ("a",), ((1, 2, 3),), ()),
        ("classes.json", '{"names": ["a"], "palette": [[1, 2, 3]], "ignore_index": 255}', ("a",), ((1, 2, 3),), ()),
    ],
)  # fmt: skip
def test_formats(tmp_path: Path, name: str, text: str, names: tuple, palette: tuple, values: tuple) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = find_class_file(tmp_path)
    assert found is not None
    assert (found.names, found.palette, found.values) == (names, palette, values)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("classes.txt", "", "names no class"),
        ("classes.txt", "a\nb\na\n", "unique; repeated: a"),
        ("classes.json", "[1, 2]", "not a list of classes"),
        ("classes.json", '{"a": 1, "b": 1}', "the same value"),
        ("classes.json", '["a", ', "broken JSON"),
        ("label_colors.txt", "1 2 3 a\n4 5 6 b\nc\n", "'c' has no colour"),
        ("label_colors.txt", "1 2 300 a\n", "0 to 255"),
    ],
)
def test_errors_name_the_file(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_class_file(path)
    assert str(path) in str(caught.value)


def test_binary_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match="cannot be read as text"):
        read_class_file(path)


def test_a_split_folder_uses_the_file_above(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("a\nb\n")
    (tmp_path / "val").mkdir()
    (tmp_path / "other").mkdir()
    found = find_class_file(tmp_path / "val")
    assert found is not None
    assert found.names == ("a", "b")
    assert find_class_file(tmp_path / "other") is None
    (tmp_path / "other/train").mkdir()
    (tmp_path / "other/train/_classes.csv").write_text("Pixel Value, Class\n0, a\n")  # as Roboflow exports it
    inner = find_class_file(tmp_path / "other")
    assert inner is not None and inner.names == ("a",)
