"""Class lists: names, colours and mask values, from every form of file that people and tools write."""

from __future__ import annotations

from pathlib import Path

import pytest

from intarsia.classlists import ClassList, classes_said, parse_classes, read_class_file
from intarsia.datasets.classfile import find_class_file
from intarsia.errors import DataError

ABC = ("ground", "car", "tree")
COLORS = ((0, 0, 0), (255, 0, 0), (0, 255, 0))


def read(tmp_path: Path, name: str, text: str, encoding: str = "utf-8") -> ClassList:
    (tmp_path / name).write_text(text, encoding=encoding)
    return read_class_file(tmp_path / name)


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
    found = read(tmp_path, name, text)
    assert (found.names, found.palette, found.values) == (names, palette, values)


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("classes.csv", "id,name\n0,ground\n1,car\n2,tree\n", (0, 1, 2)),
        ("classes.csv", "name,id\nground,0\ncar,1\ntree,2\n", (0, 1, 2)),
        ("classes.csv", "name\nground\ncar\ntree\n", ()),
        ("classes.csv", "Value;Label\n0;ground\n1;car\n2;tree\n", (0, 1, 2)),
        ("classes.csv", '"id","name"\n"0","ground"\n"1","car"\n"2","tree"\n', (0, 1, 2)),
        ("classes.csv", '0,"ground"\n1,"car"\n2,"tree"\n', (0, 1, 2)),
        ("classes.csv", "label,name\n0,ground\n5,car\n6,tree\n", (0, 5, 6)),
        ("classes.csv", "class\tpixel value\nground\t0\ncar\t9\ntree\t7\n", (0, 9, 7)),
        ("classes.csv", "name,supercategory,id\nground,flat,0\ncar,vehicle,1\ntree,nature,2\n", (0, 1, 2)),
        ("classes.txt", "Idx\tRatio\tTrain\tName\n1\t0.1\t9\tground\n2\t0.2\t8\tcar\n3\t0.3\t7\ttree", (1, 2, 3)),
        ("classes.txt", "id name\n0 ground\n1 car\n2 tree\n", (0, 1, 2)),
        ("classes.txt", "0 ground\n1 car\n2 tree\n", (0, 1, 2)),
        ("classes.txt", "ground 0\ncar 1\ntree 2\n", (0, 1, 2)),
        ("classes.txt", "ground: 0\ncar: 7\ntree: 9\n", (0, 7, 9)),
        ("classes.txt", "1. ground\n2. car\n3. tree\n", (1, 2, 3)),
        ("classes.txt", "0=ground\n1=car\n2=tree\n", (0, 1, 2)),
        ("classes.txt", "0 - ground\n1 - car\n2 - tree\n", (0, 1, 2)),
        ("classes.txt", "class\nground\ncar\ntree\n", ()),
        ("classes.txt", "['ground', 'car', 'tree']", ()),
        ("classes.csv", "sep=;\nid;name\n0;ground\n1;car\n2;tree\n", (0, 1, 2)),
        ("classes.csv", ",name\n0,ground\n1,car\n2,tree\n", (0, 1, 2)),
        ("classes.csv", '"Wert";"Name"\n"1";"ground"\n"2";"car"\n"3";"tree"\n', (1, 2, 3)),
        ("classes.csv", "id,name\n0.0,ground\n3.0,car\n4.0,tree\n", (0, 3, 4)),
        ("classes.csv", "id,name\n-1,plate\n0,ground\n1,car\n2,tree\n", (0, 1, 2)),
        ("classes.txt", "-1: plate\n0: ground\n1: car\n2: tree\n", (0, 1, 2)),
        ("classes.csv", "name,pixels\nground,7\ncar,9\ntree,3\n", ()),
        ("classes.txt", '"ground"\n"car"\n"tree"\n', ()),
        ("classes.txt", "ground, car, tree\n", ()),
        ("classes.txt", '["ground", "car", "tree"]', ()),
    ],
)
def test_three_names_in_every_form(tmp_path: Path, name: str, text: str, values: tuple[int, ...]) -> None:
    found = read(tmp_path, name, text)
    assert (found.names, found.palette, found.values) == (ABC, (), values)


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("classes.csv", "id,name,r,g,b\n0,ground,0,0,0\n1,car,255,0,0\n2,tree,0,255,0\n", (0, 1, 2)),
        ("classes.csv", "name;red;green;blue\nground;0;0;0\ncar;255;0;0\ntree;0;255;0\n", ()),
        ("classes.csv", "class,color\nground,#000000\ncar,#ff0000\ntree,#00FF00\n", ()),
        ("classes.csv", 'name,rgb\nground,"0,0,0"\ncar,"(255, 0, 0)"\ntree,"0 255 0"\n', ()),
        ("classes.csv", "name,hex\nground,000000\ncar,ff0000\ntree,00ff00\n", ()),
        ("classes.csv", "0,ground,0,0,0\n1,car,255,0,0\n2,tree,0,255,0\n", (0, 1, 2)),
        ("label_colors.txt", "name r g b\nground 0 0 0\ncar 255 0 0\ntree 0 255 0\n", ()),
        ("label_colors.txt", "#000000 ground\n#ff0000 car\n#00ff00 tree\n", ()),
        ("label_colors.txt", "ground #000000\ncar #ff0000\ntree #00ff00\n", ()),
        ("label_colors.txt", "(0, 0, 0) ground\n(255, 0, 0) car\n(0, 255, 0) tree\n", ()),
        ("label_colors.txt", "ground: rgb(0, 0, 0)\ncar: rgb(255, 0, 0)\ntree: [0, 255, 0]\n", ()),
        ("label_colors.txt", "0 0 0 255 ground\n255 0 0 255 car\n0 255 0 255 tree\n", ()),
        ("label_colors.txt", "ground 0 0 0 255\ncar 255 0 0 255\ntree 0 255 0 255\n", ()),
        ("label_colors.txt", "0 0 0 0 ground\n1 255 0 0 car\n2 0 255 0 tree\n", (0, 1, 2)),
        ("colors.ctbl", "0 ground 0 0 0 0\n1 car 255 0 0 255\n2 tree 0 255 0 255\n", (0, 1, 2)),
        ("snap.txt", '0 0 0 0 0 0 0 "ground"\n1 255 0 0 1 1 1 "car"\n2 0 255 0 1 1 1 "tree"\n', (0, 1, 2)),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nground:0,0,0::\ncar:255,0,0::\ntree:0,255,0::\n", ()),
    ],
)
def test_colours_in_every_form(tmp_path: Path, name: str, text: str, values: tuple[int, ...]) -> None:
    found = read(tmp_path, name, text)
    assert (found.names, found.palette, found.values) == (ABC, COLORS, values)


@pytest.mark.parametrize(
    ("text", "palette", "values"),
    [
        ('[{"id": 0, "name": "ground"}, {"id": 1, "name": "car"}, {"id": 2, "name": "tree"}]', False, (0, 1, 2)),
        ('{"categories": [{"id": 1, "name": "ground"}, {"id": 2, "name": "car"}, {"id": 7, "name": "tree"}]}', False,
         (1, 2, 7)),
        ('[{"name": "ground", "id": 5123, "color": "#000000", "attributes": []}, {"name": "car", "id": 5124,'
         '"color": "#ff0000", "attributes": []}, {"name": "tree", "id": 5125, "color": "#00ff00", "attributes": []}]',
         True, ()),
        ('{"classes": [{"title": "ground", "shape": "bitmap", "color": "#000000", "id": 9}, {"title": "car",'
         '"shape": "bitmap", "color": "#FF0000", "id": 8}, {"title": "tree", "shape": "bitmap", "color": "#00FF00",'
         '"id": 7}], "tags": []}', True, ()),
        ('{"classes": ["ground", "car", "tree"], "palette": [[0, 0, 0], [255, 0, 0], [0, 255, 0]]}', True, ()),
        ('{"METAINFO": {"classes": ["ground", "car", "tree"], "palette": [[0,0,0],[255,0,0],[0,255,0]]}}', True, ()),
        ('{"id2label": {"0": "ground", "1": "car", "2": "tree"}, "label2id": {"ground": 0}}', False, (0, 1, 2)),
        ('{"label2id": {"ground": 0, "car": 1, "tree": 2}}', False, (0, 1, 2)),
        ('{"labels": ["ground", "car", "tree"]}', False, ()),
        ('{"labels": [{"name": "ground", "parent": ""}, {"name": "car"}, {"name": "tree"}]}', False, ()),
        ('{"categories": {"label": {"labels": [{"name": "ground"}, {"name": "car"}, {"name": "tree"}]}}}', False, ()),
        ('{"channel_names": {"0": "CT"}, "labels": {"ground": 0, "car": 1, "tree": 2}, "numTraining": 3}', False,
         (0, 1, 2)),
        ('{"labels": {"0": "ground", "1": "car", "2": "tree"}}', False, (0, 1, 2)),
        ('{"dataset": {"version": 3, "classes": [{"name": "ground"}, {"name": "car"}, {"name": "tree"}]}}', False, ()),
        ('{"0": {"name": "ground", "color": [0, 0, 0]}, "1": {"name": "car", "color": [255, 0, 0]},'
         '"2": {"name": "tree", "color": [0, 255, 0]}}', True, (0, 1, 2)),
        ('{"ground": {"id": 0, "color": "#000"}, "car": {"id": 1, "color": "#f00"}, "tree": {"id": 2,'
         '"color": "#0f0"}}', True, (0, 1, 2)),
        ('{"ground": "#000000", "car": "#ff0000", "tree": "#00ff00"}', True, ()),
        ('{"#000000": "ground", "#ff0000": "car", "#00ff00": "tree"}', True, ()),
        ('{"0, 0, 0": "ground", "255, 0, 0": "car", "0, 255, 0": "tree"}', True, ()),
        ('{"ground": [0, 0, 0, 255], "car": [255, 0, 0, 255], "tree": [0, 255, 0, 255]}', True, ()),
        ('{"ground": "0", "car": "1", "tree": "2"}', False, (0, 1, 2)),
        ('{"label_map": {"0": "ground", "2": "tree", "1": "car"},'
         '"segmentation_colors": [[0,0,0],[255,0,0],[0,255,0]]}', True, ()),
    ],
)  # fmt: skip
def test_documents_of_tools(tmp_path: Path, text: str, palette: bool, values: tuple[int, ...]) -> None:
    found = read(tmp_path, "any.json", text)
    assert (found.names, found.palette, found.values) == (ABC, COLORS if palette else (), values)


@pytest.mark.parametrize(
    "text",
    [
        "2 wheeler\n3 wheeler\n4 wheeler\n",  # one name thrice, were the numbers not a part of it
        "level 3\nlevel 4\n",
        "phase 3\nstage 7\n",
        "building, edifice\nsky\n",
        "label\nbottle\n",
        "road: wet\nroad: dry\n",
    ],
)
def test_names_that_only_look_like_columns(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, "classes.txt", text).names == tuple(text.splitlines())


def test_what_was_decided_is_told(tmp_path: Path) -> None:
    assert "(name) is taken as a header" in read(tmp_path, "classes.csv", "name\na\nb\n").notes[0]
    assert "(label) is taken as a class" in read(tmp_path, "classes.txt", "label\nb\n").notes[0]
    assert "3 names with commas between" in read(tmp_path, "classes.txt", "a,b,c").notes[0]


def test_a_labelmap_may_leave_colours_out(tmp_path: Path) -> None:
    found = read(tmp_path, "labelmap.txt", "# label:color_rgb\nbackground:0,0,0\ncar::\nroad surface\n")
    assert (found.names, found.palette) == (("background", "car", "road surface"), ())
    assert found.uncolored == ("car", "road surface")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_with_a_mark(tmp_path: Path, encoding: str) -> None:
    assert read(tmp_path, "classes.txt", "Straße\n道路\n", encoding).names == ("Straße", "道路")


def test_western_text_of_old_windows_programs_is_read_and_told(tmp_path: Path) -> None:
    found = read(tmp_path, "classes.txt", "Straße\nFußgänger\ncamión\ncar\n", "cp1252")
    assert found.names == ("Straße", "Fußgänger", "camión", "car")
    assert "classes.txt is not UTF-8 text, and is read as Windows-1252" in found.notes[0]
    assert read(tmp_path, "classes.csv", "id,name\n0,Café\n5,été nuit\n", "cp1252").values == (0, 5)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark(tmp_path: Path, encoding: str) -> None:
    found = read(tmp_path, "classes.json", '["road", "car"]', encoding)
    assert (found.names, found.notes) == (("road", "car"), ())


@pytest.mark.parametrize(
    "data",
    ["道路\n建筑\n".encode("gbk"), "道路\n車\n".encode("shift_jis"), "дорога\nмашина\n".encode("cp1251"),
     "δρόμος\n".encode("cp1253"), b"\xff\x00\x81", b"road\0\ncar\n"],
)  # fmt: skip
def test_other_encodings_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "classes.txt").write_bytes(data)
    with pytest.raises(DataError, match=r"classes\.txt: cannot be read as text.*UTF-8"):
        read_class_file(tmp_path / "classes.txt")


def test_classes_in_one_word(tmp_path: Path) -> None:
    assert classes_said("road, car").names == ("road", "car")
    assert classes_said("0:road,7:car").values == (0, 7)
    (tmp_path / "c.csv").write_text("id,name\n3,road\n1,car\n")
    assert classes_said(str(tmp_path / "c.csv")).in_order_of_values().names == ("car", "road")
    with pytest.raises(DataError, match="No such file"):
        classes_said(str(tmp_path / "none.txt"))
    with pytest.raises(DataError, match="2 colours for 1 class"):
        parse_classes(["a"], [(0, 0, 0), (1, 1, 1)])


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
        ("label_colors.txt", "#000000 a\n#ff0000 b\nc\n", "'c' has no colour"),
        ("classes.csv", "road,flat\ncar,vehicle\n", "Write a header"),
        ("classes.csv", "id,name\n0\n", "has 1 columns, the header has 2"),
        ("classes.csv", "id,name\n0,a\n0,b\n", "the same value"),
        ("classes.csv", "id,name\n0,a\nx,b\n", "'x' in the column id is no mask value"),
        ("classes.json", '{"whole": [1, 2, 3], "core": 2}', "not a list of classes"),
    ],
)
def test_errors_name_the_file(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_class_file(path)
    assert str(path) in str(caught.value)


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


@pytest.mark.parametrize(
    ("name", "text", "values", "colored"),
    [
        ("classes.txt", "class,r,g,b\nground,0,0,0\ncar,255,0,0\ntree,0,255,0\n", (), True),
        ("classes.txt", "label r g b\nground 0 0 0\ncar 255 0 0\ntree 0 255 0\n", (), True),
        ("classes.csv", "R,G,B,Class\n0,0,0,ground\n255,0,0,car\n0,255,0,tree\n", (), True),
        ("classes.txt", "ground 0 0 0 # earth\ncar 255 0 0 # any\ntree 0 255 0 # alive\n", (), True),
        ("classes.txt", "GIMP Palette\nName: x\nColumns: 0\n#\n"
         "  0   0   0\tground\n255 0 0\tcar\n0 255 0\ttree\n", (), True),
        ("classes.txt", "# QGIS Generated Color Map Export File\nINTERPOLATION:EXACT\n"
         "0,0,0,0,255,ground\n5,255,0,0,255,car\n6,0,255,0,255,tree\n", (0, 5, 6), True),
        ("classes.txt", "| id | name |\n|---:|:---|\n| 0 | ground |\n| 5 | car |\n| 6 | tree |\n", (0, 5, 6), False),
        ("classes.tsv", "name\tid\nground\t0\ncar\t5\ntree\t6\n", (0, 5, 6), False),
        ("classes.txt", "- ground\n- car\n- tree\n", (), False),
        ("classes.txt", "ground,\ncar,\ntree\n", (), False),
        ("classes.txt", "0: 'ground',\n1: 'car',\n2: 'tree',\n", (0, 1, 2), False),
        ("classes.txt", "CLASSES = ['ground', 'car', 'tree']\n", (), False),
        ("classes.json", '[["ground", [0, 0, 0]], ["car", [255, 0, 0]], ["tree", [0, 255, 0]]]', (), True),
        ("classes.json", '[["ground", 0, 0, 0], ["car", 255, 0, 0], ["tree", 0, 255, 0]]', (), True),
        ("classes.json", '[[0, "ground"], [5, "car"], [6, "tree"]]', (0, 5, 6), False),
        ("classes.json", '[["ground", 0, "#000000"], ["car", 5, "#ff0000"], ["tree", 6, "#00ff00"]]', (0, 5, 6), True),
        ("classes.json", '[[0, "ground", 0, 0, 0], [1, "car", 255, 0, 0], [2, "tree", 0, 255, 0]]', (0, 1, 2), True),
        ("classes.json", '{"0": ["ground", [0, 0, 0]], "1": ["car", [255, 0, 0]], "2": ["tree", [0, 255, 0]]}',
         (0, 1, 2), True),
        ("classes.json", '[{"ground": [0, 0, 0]}, {"car": [255, 0, 0]}, {"tree": [0, 255, 0]}]', (), True),
        ("classes.json", '{"labels": {"ground": 0, "car": 1, "tree": 2}, "colors": {"ground": [0, 0, 0], '
         '"tree": [0, 255, 0], "car": [255, 0, 0]}}', (0, 1, 2), True),
    ],
)  # fmt: skip
def test_rows_pairs_and_items(tmp_path: Path, name: str, text: str, values: tuple[int, ...], colored: bool) -> None:
    found = read(tmp_path, name, text)
    assert (found.names, found.values, found.palette) == (ABC, values, COLORS if colored else ())


def test_channels_that_count_up_are_no_mask_values(tmp_path: Path) -> None:
    found = read(tmp_path, "classes.csv", "name,r,g,b\nsky,0,9,9\nroad,1,8,8\ncar,2,7,7\n")
    assert found.values == () and found.palette == ((0, 9, 9), (1, 8, 8), (2, 7, 7))


@pytest.mark.parametrize("text", ['[["road", 1, 2, 3, 255]]', '[["road", "car"]]', '{"road": [1, 2]}'])
def test_rows_of_two_readings_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="not a list of classes"):
        read(tmp_path, "classes.json", text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "0 -> ground\n1 => car\n2->tree\n"),
        ("classes.txt", "0: ground\u200b\n1: car\ufeff\n2: tree\n"),
        ("classes.jsonl", '{"id": 0, "name": "ground"}\n{"id": 1, "name": "car"}\n\n{"id": 2, "name": "tree"}\n'),
        ("data.yaml", "path: .\nnc: 3\nnames:\n  0: ground\n  1: car\n  2: tree\n"),
        ("kinds.yaml", "some kinds:\n  0: ground\n  1: car\n  2: tree\n"),
        ("semantic.yaml", "labels:\n  0: ground\n  1: car\n  2: tree\ncolor_map:\n  0: [0, 0, 0]\n"),
        ("map.pbtxt", 'item {\n id: 0\n name: "g"\n display_name: "ground"\n}\n'
         "item { name: 'car' id: 1 }\nitem{id:2 name:\"tree\"}"),
    ],
)  # fmt: skip
def test_numbers_and_names_in_more_forms(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    found = read_class_file(tmp_path / name)
    assert (found.names, found.values) == (("ground", "car", "tree"), (0, 1, 2))


@pytest.mark.parametrize("mark", [";", "|", "\t", ","])
def test_one_line_of_names(tmp_path: Path, mark: str) -> None:
    (tmp_path / "classes.txt").write_text(mark.join(("ground", "car", "tree")))
    assert read_class_file(tmp_path / "classes.txt").names == ("ground", "car", "tree")


def test_short_colours_stand_behind_names_and_comments_before(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("#add more below\nground #000\ncar #f00\ntree #0f8\n")
    found = read_class_file(tmp_path / "classes.txt")
    assert found.names == ("ground", "car", "tree")
    assert found.palette == ((0, 0, 0), (255, 0, 0), (0, 255, 136))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("style.qml", '<qgis><paletteEntry value="0" label="ground"/></qgis>', "XML or a web page, no list of classes"),
        ("data.yaml", "a: &a [x, y]\nnames: [*a, *a]\n", "it holds references"),
        ("data.yaml", "names: [x, y\n", "broken YAML"),
        ("map.pbtxt", "item { id: 1 }", "an item of it has no name"),
    ],
)
def test_forms_that_hold_no_names(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        read_class_file(tmp_path / name)


def test_a_list_of_pictures_names_no_classes(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("s0.png 1\ns1.JPG,0\nimages/s2.tif 2\n")
    assert find_class_file(tmp_path) is None
    (tmp_path / "classes.json").write_text('["a", "b"]')
    assert find_class_file(tmp_path).names == ("a", "b")
    (tmp_path / "labels.csv").write_text("image_id,label\ns0,cat\ns1,cat\n")
    with pytest.raises(DataError, match=r"repeated: cat.* If it is no list of the masks' classes, move it away"):
        find_class_file(tmp_path)
