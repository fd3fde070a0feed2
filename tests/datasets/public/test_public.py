"""The public data sets: every official layout from a tiny fake tree, and the entries that describe them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trees
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from intarsia.datasets import Dataset, ReadOptions, open_dataset
from intarsia.datasets.catalogue import entry, layouts_of
from intarsia.datasets.public import ENTRIES, LAYOUTS, ade20k, cityscapes, cocostuff, context, lits, s3dis
from intarsia.datasets.public.camvid import CAMVID, GROUPS, original
from intarsia.datasets.public.entry import listed, space_of
from intarsia.datasets.public.voc import VOC, colormap
from intarsia.errors import DataError, UsageError

IGNORED = 255


def every(dataset: Dataset) -> dict[str, np.ndarray]:
    """All targets by id."""
    return {
        item.id: split.read(index)[1] for split in dataset.splits.values() for index, item in enumerate(split.items)
    }


@pytest.mark.parametrize("name", trees.PICTURES)
def test_a_tree_is_recognised_and_read(name: str, tmp_path: Path) -> None:
    root = trees.PICTURES[name](tmp_path / "data")
    dataset = open_dataset(root)
    assert dataset.layout == name
    assert dataset.notes
    targets = every(dataset)
    assert len(targets) == len(dataset) > 0
    for target in targets.values():
        assert target.shape == trees.SIZE
        known = target[target != dataset.space.ignore_index]
        assert known.size and known.max() < len(dataset.space)
    assert not dataset.check().errors
    assert open_dataset(root, ReadOptions(layout=name)).space == dataset.space
    with pytest.raises(UsageError, match=r"are its own .* rename and join them"):
        open_dataset(root, ReadOptions(layout=name, classes=["a", "b"]))


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "s3dis"])
def test_where_files_are_absent_the_error_says_how_to_get_them(name: str, tmp_path: Path) -> None:
    trees.photo(tmp_path / "photo.png")
    with pytest.raises(DataError) as error:
        open_dataset(tmp_path, ReadOptions(layout=name))
    known = ENTRIES[LAYOUTS[name].dataset]
    assert f"this is {known.title}, but " in str(error.value)
    assert "How to get it:\n  1. " in str(error.value)
    assert known.tree.splitlines()[0] in str(error.value)


@pytest.mark.parametrize(
    ("tree", "removed", "message"),
    [
        (trees.cityscapes, "gtFine", "it has no gtFine/"),
        (trees.cityscapes, "leftImg8bit", "it has no leftImg8bit/"),
        (trees.kitti_semantics, "training/semantic", "it has no training/image_2 with training/semantic"),
        (trees.ade20k, "ADEChallengeData2016/annotations", "it has no images/ with annotations/"),
        (trees.inria, "AerialImageDataset/train/gt", "it has no train/images with train/gt"),
        (trees.pratheepan, "Ground_Truth", "with Ground_Truth/"),
    ],
)
def test_half_a_tree_is_recognised(tree: Callable[[Path], Path], removed: str, message: str, tmp_path: Path) -> None:
    (tree(tmp_path / "data") / removed).rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=f"{message}.*\nHow to get it:"):
        open_dataset(tmp_path / "data")


def test_every_entry_is_complete() -> None:
    assert len(ENTRIES) == 17
    for name, known in ENTRIES.items():
        assert known.name == name == entry(name).name
        plain = json.loads(json.dumps(known.to_json()))
        empty = [key for key, value in plain.items() if not value and key != "downloads"]
        assert not empty, (name, empty)
        assert known.homepage.startswith("http") and len(plain["classes"]["names"]) >= 2
        assert all(one.url.startswith("https://") and len(one.md5) == 32 for one in known.downloads)
    assert {known.dataset for known in LAYOUTS.values()} <= set(ENTRIES)
    assert list(layouts_of("cityscapes")) == ["cityscapes", "cityscapes-7", "cityscapes-coarse"]
    with pytest.raises(UsageError, match="Did you mean 'cityscapes'"):
        entry("cityscape")


def test_voc_has_its_palette_and_splits(tmp_path: Path) -> None:
    # VOC development kit: aeroplane, sofa (18) and tvmonitor (20); 255 is the colour of borders.
    assert (VOC.palette[1], VOC.palette[18], VOC.palette[20]) == ((128, 0, 0), (0, 192, 0), (0, 64, 128))
    assert colormap(256)[255] == (224, 224, 192)
    data = open_dataset(trees.pascal_voc(tmp_path))
    assert {name: [item.id for item in split.items] for name, split in data.splits.items()} == {
        "train": ["train/2007_000032", "train/2007_000039"],
        "val": ["val/2007_000033"],
    }
    stored = np.asarray(Image.open(tmp_path / "VOCdevkit/VOC2012/SegmentationClass/2007_000033.png"))
    assert np.array_equal(data.split("val").read(0)[1], stored)
    assert not data.unpaired_images, "test images come without masks"
    assert open_dataset(tmp_path / "VOCdevkit/VOC2012").layout == "pascal-voc"


def test_voc_written_in_colours(tmp_path: Path) -> None:
    root = trees.pascal_voc(tmp_path)
    before = every(open_dataset(root))
    for path in root.rglob("SegmentationClass/*.png"):
        Image.open(path).convert("RGB").save(path)
    after = every(open_dataset(root))
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_voc_like_names_are_not_taken_for_voc(tmp_path: Path) -> None:
    kit = tmp_path / "export"
    trees.text(kit / "ImageSets/Segmentation/default.txt", "a", '"sub/b c"')
    for name in ("a", "sub/b c"):
        trees.photo(kit / f"JPEGImages/{name}.jpg")
        path = kit / f"SegmentationClass/{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*trees.SIZE, 3), (128, 64, 128), np.uint8)).save(path)
    trees.text(kit / "labelmap.txt", "# label:color_rgb:parts:actions", "background:0,0,0::", "road:128,64,128::")
    data = open_dataset(tmp_path, val_fraction=0)
    assert (data.layout, data.space.names) == ("voc", ("background", "road"))
    assert [item.id for item in data.splits["all"].items] == ["a", "sub/b c"]
    assert set(data.splits["all"].read(1)[1].ravel().tolist()) == {1}


def test_sbd_extends_voc(tmp_path: Path) -> None:
    root = trees.pascal_voc_sbd(tmp_path)
    plain = open_dataset(root)
    assert plain.layout == "pascal-voc" and "--layout pascal-voc-sbd" in plain.notes[0]
    data = open_dataset(root, ReadOptions(layout="pascal-voc-sbd"))
    # VOC's own two, and SBD's without 2007_000033, which VOC validates on.
    assert [item.id for item in data.split("train").items] == [
        f"train/{name}" for name in ("2007_000032", "2007_000039", "2008_000002", "2008_000003", "2008_000007")
    ]
    assert [item.id for item in data.split("val").items] == ["val/2007_000033"]
    assert set(data.split("train").read(3)[1].ravel().tolist()) == {0, 7, 20}


def test_sbd_as_prepared_pictures(tmp_path: Path) -> None:
    kit = trees.pascal_voc(tmp_path) / "VOCdevkit/VOC2012"
    trees.text(kit / "ImageSets/Segmentation/trainaug.txt", "2007_000032", "2008_000002")
    for name in ("2007_000032", "2008_000002"):
        trees.photo(kit / f"JPEGImages/{name}.jpg")
        trees.mask(kit / f"SegmentationClassAug/{name}.png", [0, 5, 255])
    data = open_dataset(tmp_path, ReadOptions(layout="pascal-voc-sbd"))
    assert [item.id for item in data.split("train").items] == ["train/2007_000032", "train/2008_000002"]


def test_context_means_the_same_as_mat_and_as_png(tmp_path: Path) -> None:
    mats = open_dataset(trees.pascal_context(tmp_path / "a"))
    pictures = open_dataset(trees.pascal_context_png(tmp_path / "b"))
    assert mats.space == pictures.space == context.CONTEXT_59
    names = context.CONTEXT_59.names
    # 2 is aeroplane and 360 sky of 459; the PNG files number the 59 names from 1.
    assert {names[i] for i in np.unique(mats.split("val").read(0)[1]) if i != IGNORED} == {"aeroplane", "sky", "wood"}
    found = {names[i] for i in np.unique(pictures.split("val").read(0)[1]) if i != IGNORED}
    assert found == {"aeroplane", "bag", "wood"}
    with_background = open_dataset(tmp_path / "a", ReadOptions(layout="pascal-context-60"))
    target = with_background.split("val").read(0)[1]
    assert IGNORED not in target and (target == 0).any()
    assert np.array_equal(target == 0, mats.split("val").read(0)[1] == IGNORED)


def test_coco_stuff_numbers(tmp_path: Path) -> None:
    assert len(cocostuff.used_labels()) == 171 and len(cocostuff.all_labels()) == 182
    large = open_dataset(trees.coco_stuff(tmp_path / "large"))
    small = open_dataset(trees.coco_stuff_10k(tmp_path / "small"))
    names = cocostuff.used_labels().names
    # The maps count from 0 (91 is banner, the first stuff), the .mat files from 1.
    assert {names[i] for i in np.unique(large.split("val").read(0)[1])[:-1]} == {"person", "banner", "wood"}
    assert {names[i] for i in np.unique(small.split("test").read(0)[1])[:-1]} == {"person", "banner", "wood"}
    full = open_dataset(tmp_path / "large", ReadOptions(layout="coco-stuff-182")).split("val").read(0)[1]
    assert set(np.unique(full).tolist()) == {0, 91, 181, 255}
    assert (
        open_dataset(tmp_path / "small", ReadOptions(layout="coco-stuff-10k-182")).split("test").read(0)[1].max() == 255
    )


def test_cityscapes_ids_and_categories(tmp_path: Path) -> None:
    root = trees.cityscapes(tmp_path)
    data = open_dataset(root)
    assert list(data.splits) == ["train", "val"], "the test labels are dummies"
    assert data.space == cityscapes.CITYSCAPES and data.space.names[13] == "car"
    item = data.split("val").items[0]
    assert item.id == "val/frankfurt/frankfurt_000000_000019" and item.instances is not None
    ids = np.asarray(Image.open(str(item.target)))
    target = data.split("val").read(0)[1]
    for label in cityscapes.LABELS:
        expected = data.space.index(label.name) if label.evaluated else IGNORED
        assert set(target[ids == label.id].tolist()) <= {expected}
    coarse = open_dataset(root, ReadOptions(layout="cityscapes-7"))
    categories = coarse.split("val").read(0)[1]
    assert coarse.space.names == cityscapes.CATEGORIES
    assert set(categories[np.isin(ids, (26, 33))].tolist()) == {6} and set(categories[ids == 24].tolist()) == {5}


def test_cityscapes_labels_are_the_scripts_own() -> None:
    scripts = pytest.importorskip("cityscapesscripts.helpers.labels")
    theirs = [
        (one.name, one.id, one.category, one.color, not one.ignoreInEval, one.hasInstances)
        for one in scripts.labels
        if one.id >= 0
    ]
    assert [(o.name, o.id, o.category, o.color, o.evaluated, o.instances) for o in cityscapes.LABELS] == theirs
    assert [scripts.name2label[name].trainId for name in cityscapes.CITYSCAPES.names] == list(range(19))


def test_cityscapes_train_ids(tmp_path: Path) -> None:
    root = trees.cityscapes(tmp_path)
    before = every(open_dataset(root))
    table = np.full(256, 255, np.uint8)
    for number, name in enumerate(cityscapes.CITYSCAPES.names):
        table[next(one.id for one in cityscapes.LABELS if one.name == name)] = number
    for path in root.glob("gtFine/*/*/*_labelIds.png"):
        ids = np.asarray(Image.open(path))
        Image.fromarray(table[ids]).save(path.with_name(path.name.replace("labelIds", "labelTrainIds")))
        path.unlink()
    data = open_dataset(root)
    assert "labelTrainIds.png" in data.notes[0]
    assert {name: target.tolist() for name, target in every(data).items()} == {n: t.tolist() for n, t in before.items()}


def test_cityscapes_outlines_are_drawn_as_the_scripts_draw_them(tmp_path: Path) -> None:
    root = trees.cityscapes_polygons(tmp_path)
    data = open_dataset(root)
    (path,) = root.glob("gtFine/val/*/*_polygons.json")
    ids = cityscapes.draw_polygons(path, trees.SIZE)
    assert sorted(np.unique(ids).tolist()) == [7, 23, 26, 28]
    assert set(data.split("val").read(0)[1].ravel().tolist()) == {0, 10, 13, 15}
    drawing = pytest.importorskip("cityscapesscripts.preparation.json2labelImg")
    annotation = pytest.importorskip("cityscapesscripts.helpers.annotation").Annotation()
    annotation.fromJsonFile(str(path))
    assert np.array_equal(np.asarray(drawing.createLabelImage(annotation, "ids")), ids)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda value: value["objects"].append({"label": "carr", "polygon": [[0, 0], [1, 1], [2, 0]]}),
            "no label 'carr'",
        ),
        (lambda value: value["objects"].append({"label": "car", "polygon": [[0, 0], [1, 1]]}), "is no polygon"),
        (
            lambda value: value["objects"].append({"label": "car", "polygon": [[0, 0], [float("nan"), 1], [3, 3]]}),
            "no pol",
        ),
        (lambda value: value.update(imgWidth=1000), "drawn on an image of 1000x12"),
        (lambda value: value.pop("objects"), "not Cityscapes' outlines"),
    ],
)
def test_broken_cityscapes_outlines(change: Callable[[dict], object], message: str, tmp_path: Path) -> None:
    root = trees.cityscapes_polygons(tmp_path)
    (path,) = root.glob("gtFine/val/*/*_polygons.json")
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match=f"(?s)polygons.json: .*{message}"):
        open_dataset(root).split("val").read(0)


def test_cityscapes_coarse(tmp_path: Path) -> None:
    data = open_dataset(trees.cityscapes_coarse(tmp_path))
    assert data.layout == "cityscapes-coarse"
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 2, "val": 1}


def test_cityscapes_snippets(tmp_path: Path) -> None:
    root = trees.cityscapes_snippets(tmp_path)
    (snippet,) = cityscapes.snippets(root, "train")
    assert (snippet.id, len(snippet.frames), snippet.labelled) == ("train/aachen/aachen_000000_000019", 30, 19)
    assert snippet.frames[19].name == "aachen_000000_000019_leftImg8bit.png"
    assert snippet.mask.name == "aachen_000000_000019_gtFine_labelIds.png"
    with pytest.raises(DataError, match=r"leftImg8bit_sequence/val has no frames.*\nHow to get it"):
        cityscapes.snippets(root, "val")


def test_instances_of_cityscapes_and_kitti() -> None:
    stored = np.array([[7, 24, 24000], [26001, 26999, 0]], np.uint16)
    assert cityscapes.instance_numbers(stored).tolist() == [[0, 0, 24000], [26001, 26999, 0]]
    kitti = np.array([[7 * 256, 24 * 256, 24 * 256 + 1], [26 * 256 + 255, 8, 23 * 256 + 4]], np.uint16)
    assert cityscapes.instance_numbers(kitti).tolist() == [[0, 0, 6145], [6911, 0, 0]]
    assert not cityscapes.instance_numbers(np.array([[7, 33]], np.uint16)).any()


def test_kitti_has_instances(tmp_path: Path) -> None:
    data = open_dataset(trees.kitti_semantics(tmp_path))
    item = data.split("train").items[0]
    assert item.instances == tmp_path / f"training/instance/{Path(str(item.target)).name}"


def test_camvid_prepared_in_colours(tmp_path: Path) -> None:
    root = trees.camvid(tmp_path)
    reference = open_dataset(root, ReadOptions(layout="camvid")).split("val").read(0)[1]
    table = np.zeros((256, 3), np.uint8)
    table[: len(CAMVID)] = CAMVID.palette
    for path in root.rglob("*annot/*.png"):
        Image.fromarray(table[np.array(Image.open(path))]).save(path)
    split = open_dataset(root, ReadOptions(layout="camvid")).split("val")
    assert np.array_equal(split.read(0)[1], reference)
    assert split.count().pixels.sum() == (reference < 255).sum()


def test_camvid_in_its_original_colours(tmp_path: Path) -> None:
    root = trees.camvid_32(tmp_path)
    data = open_dataset(root)
    assert {name: [item.id for item in split.items] for name, split in data.splits.items()} == {
        split: [f"{split}/{name}"] for split, name in trees.CAMVID_FRAMES.items()
    }
    assert len(data.space) == 31 and "Void" not in data.space.names
    grouped = open_dataset(root, ReadOptions(layout="camvid-11"))
    assert grouped.space == CAMVID
    fine, coarse = data.split("train").read(0)[1], grouped.split("train").read(0)[1]
    for index, name in enumerate(original().names):
        expected = CAMVID.index(GROUPS[name]) if name in GROUPS else IGNORED
        assert set(coarse[fine == index].tolist()) <= {expected}
    assert set(coarse[fine == IGNORED].tolist()) == {IGNORED}


def test_ade_counts_from_one(tmp_path: Path) -> None:
    data = open_dataset(trees.ade20k(tmp_path))
    stored = np.asarray(Image.open(tmp_path / "ADEChallengeData2016/annotations/validation/ADE_val_00000001.png"))
    assert np.array_equal(data.split("val").read(0)[1], np.where(stored == 0, 255, stored.astype(int) - 1))
    assert (data.space.names[0], data.space.palette[0]) == ("wall", (120, 120, 120))
    assert len(set(data.space.names)) == 150


def test_ade_full_decodes_its_colours(tmp_path: Path) -> None:
    data = open_dataset(trees.ade20k_full(tmp_path))
    assert data.space.names == ("building, edifice", "sky", "wall"), "in the order of their numbers: 312, 2420, 2978"
    color = np.array([[[110, 162, 200], [0, 0, 0]]], np.uint8)
    assert ade20k.decode_classes(color).tolist() == [[11 * 256 + 162, 0]]
    with pytest.raises(DataError, match="it holds no colours"):
        ade20k.decode_classes(np.zeros((2, 2), np.uint8))
    numbers = np.zeros((1, 4, 3), np.uint8)
    numbers[0, :, 2] = [0, 60, 200, 60]
    assert ade20k.decode_instances(numbers).tolist() == [[0, 1, 2, 1]]
    numbers[0, 0, 2] = 60
    assert ade20k.decode_instances(numbers).tolist() == [[1, 1, 2, 1]]


def test_ade_names_that_two_numbers_share(tmp_path: Path) -> None:
    documents = []
    for stem, objects in (("a", [(5, "door"), (7, "car")]), ("b", [(6, "door")])):
        path = tmp_path / f"{stem}.json"
        value = {"annotation": {"object": [{"name_ndx": n, "name": name} for n, name in objects]}}
        path.write_bytes(json.dumps(value, ensure_ascii=False).replace("car", "caf\u00e9").encode("latin-1"))
        documents.append(path)
    assert ade20k.class_names(documents) == {5: "door (5)", 7: "caf\u00e9", 6: "door (6)"}
    documents[0].write_text("{}")
    with pytest.raises(DataError, match=r"a\.json: not ADE20K's list of objects"):
        ade20k.class_names(documents)


def test_ccp_is_divided_always_alike(tmp_path: Path) -> None:
    data = open_dataset(trees.ccp(tmp_path))
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 14, "val": 2, "test": 4}
    again = open_dataset(tmp_path, seed=5)
    assert [item.id for item in again.split("test").items] == [item.id for item in data.split("test").items]
    assert not data.unpaired_images, "photos with tags only are part of the data set"


def test_pratheepan_is_for_testing(tmp_path: Path) -> None:
    data = open_dataset(trees.pratheepan(tmp_path))
    assert [item.id for item in data.split("test").items] == [
        "FacePhoto/06Apr03Face",
        "FamilyPhoto/0520962400, (1)",
    ]
    stored = np.asarray(Image.open(tmp_path / "Ground_Truth/GroundT_FacePhoto/06Apr03Face.png"))[..., 0]
    assert np.array_equal(data.split("test").read(0)[1], stored > 127)


def test_inria_validates_on_the_first_five_tiles(tmp_path: Path) -> None:
    data = open_dataset(trees.inria(tmp_path))
    assert {name: [item.id for item in split.items] for name, split in data.splits.items()} == {
        "train": ["austin/austin6", "tyrol-w/tyrol-w36"],
        "val": ["austin/austin1", "tyrol-w/tyrol-w5"],
    }


def test_isbi_reads_pages(tmp_path: Path) -> None:
    data = open_dataset(trees.isbi_em(tmp_path), val_fraction=0)
    assert [item.id for item in data.split("train").items] == [f"train/{n:02d}" for n in range(6)]
    with Image.open(tmp_path / "train-labels.tif") as stack:
        stack.seek(4)
        expected = np.asarray(stack) == 255
    image, target = data.split("train").read(4)
    assert np.array_equal(target == 1, expected) and image.shape == (*trees.SIZE, 3)
    (tmp_path / "train-volume.tif").unlink()
    first, *others = [Image.new("L", trees.SIZE[::-1], n) for n in range(4)]
    first.save(tmp_path / "train-volume.tif", save_all=True, append_images=others)
    assert "only the first 4 are used" in open_dataset(tmp_path).notes[1]


def test_lits_is_divided_by_volume(tmp_path: Path) -> None:
    data = open_dataset(trees.lits(tmp_path))
    assert (data.layout, data.space) == ("lits", lits.LITS)
    cases = {name: {item.id.split("/")[0] for item in split.items} for name, split in data.splits.items()}
    assert len(cases["train"]) == 4 and len(cases["val"]) == 1 and not cases["train"] & cases["val"]


def test_lits_folds_divide_by_case(tmp_path: Path) -> None:
    every_case = lits.cases(trees.lits(tmp_path))
    assert [case.number for case in every_case] == [0, 1, 2, 3, 4]
    assert every_case[3].labels == tmp_path / "Training Batch 2/segmentation-3.nii"
    divided = lits.folds(every_case, 3)
    assert sorted(case.number for _, val in divided for case in val) == [0, 1, 2, 3, 4]
    for train, val in divided:
        assert {case.number for case in train} | {case.number for case in val} == {0, 1, 2, 3, 4}
        assert not {case.number for case in train} & {case.number for case in val}
    assert lits.folds(every_case, 3) == divided != lits.folds(every_case, 3, seed=1)
    with pytest.raises(UsageError, match="6 folds of 5 cases"):
        lits.folds(every_case, 6)
    (tmp_path / "Training Batch 1/volume-1.nii").unlink()
    with pytest.raises(DataError, match=r"segmentation-1\.nii: its volume-1\.nii is missing"):
        lits.cases(tmp_path)


def test_s3dis_rooms_and_areas(tmp_path: Path) -> None:
    rooms = s3dis.rooms(trees.s3dis(tmp_path))
    assert len(rooms) == 18
    assert [room.name for room in rooms[:3]] == ["hallway_1", "office_2", "office_10"]
    assert [s3dis.S3DIS.names[index] for index, _ in rooms[0].things] == ["ceiling", "floor", "clutter"]
    train, test = s3dis.divide(rooms)
    assert {room.area for room in test} == {5} and {room.area for room in train} == {1, 2, 3, 4, 6}
    assert [len(s3dis.divide(rooms, area)[1]) for area in s3dis.AREAS] == [3] * 6
    with pytest.raises(UsageError, match="has no area 7"):
        s3dis.divide(rooms, 7)
    with pytest.raises(UsageError, match="testing on area 5 needs it and at least one other; here are: 1"):
        s3dis.divide(rooms[:3])
    rooms[0].cloud.unlink()
    with pytest.raises(DataError, match=r"hallway_1: its points hallway_1\.txt are missing"):
        s3dis.rooms(tmp_path)


def test_split_lists_with_names_that_no_file_has(tmp_path: Path) -> None:
    root = trees.pascal_voc(tmp_path)
    trees.text(root / "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt", "a" * 300)
    with pytest.raises(DataError, match=r"train\.txt: 'aaaaaaaaaaaaaaaaaaaa'... is no file name, it is too long"):
        open_dataset(root, ReadOptions(layout="pascal-voc"))


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "C:\\secret", "a/../../b"])
def test_split_lists_cannot_lead_outside(name: str, tmp_path: Path) -> None:
    root = trees.pascal_voc(tmp_path)
    trees.text(root / "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt", "2007_000032", name)
    with pytest.raises(DataError, match="leads out of the data set's folder"):
        open_dataset(root, ReadOptions(layout="pascal-voc"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 70000) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=JSON
    | st.fixed_dictionaries({"imgHeight": st.just(4) | JSON, "imgWidth": st.just(6) | JSON, "objects": JSON})
    | st.builds(
        lambda label, outline: {"imgHeight": 4, "imgWidth": 6, "objects": [{"label": label, "polygon": outline}]},
        st.sampled_from(["car", "cargroup", "nothing"]) | JSON,
        st.lists(st.tuples(st.floats(), st.floats()), max_size=5) | JSON,
    )
)
def test_any_outlines_parse_or_say_why(value: object, tmp_path: Path) -> None:
    path = tmp_path / "a_polygons.json"
    path.write_text(json.dumps(value))
    try:
        assert cityscapes.draw_polygons(path, (4, 6)).shape == (4, 6)
    except DataError as error:
        assert "a_polygons.json: " in str(error)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON | st.builds(lambda objects: {"annotation": {"object": objects}}, JSON), raw=st.binary(max_size=30))
def test_any_list_of_objects_parses_or_says_why(value: object, raw: bytes, tmp_path: Path) -> None:
    for content in (json.dumps(value).encode(), raw):
        path = tmp_path / "a.json"
        path.write_bytes(content)
        try:
            ade20k.class_names([path])
        except DataError as error:
            assert "a.json: not ADE20K's list of objects" in str(error)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=40) | st.text('ab./\\: "0\n', max_size=40).map(str.encode), spaces=st.booleans())
def test_any_split_list_stays_inside(raw: bytes, spaces: bool, tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes(raw)
    try:
        names = listed(path, spaces=spaces)
    except DataError:
        return
    for name in names:
        assert (tmp_path / "x" / name).resolve().is_relative_to((tmp_path / "x").resolve())


def test_label_lists() -> None:
    assert len(space_of("ade150")) == 150 and len(space_of("camvid32")) == 32
    assert space_of("camvid32").palette[space_of("camvid32").index("Void")] == (0, 0, 0)
    assert set(GROUPS) <= set(original().names) and set(GROUPS.values()) == set(CAMVID.names)
