"""Official evaluations: hand-computed tables, and Cityscapes against its own scripts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import trees
from PIL import Image

from intarsia.datasets import Item, ReadOptions, Split, open_dataset
from intarsia.datasets.catalogue import find_protocol
from intarsia.datasets.public import ENTRIES, LAYOUTS, PROTOCOLS, SETS, cityscapes, lits, people, s3dis
from intarsia.datasets.public.camvid import CAMVID
from intarsia.datasets.public.inria import BUILDINGS
from intarsia.datasets.public.protocol import ProtocolScorer, ProtocolScores
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix


def score(
    protocol: str,
    space: LabelSpace,
    *pictures: tuple[Item, np.ndarray, np.ndarray],
    spacing: tuple[float, ...] | None = None,
) -> ProtocolScores:
    """The scores of predictions: (item, prediction, target) in the space's classes."""
    scorer = ProtocolScorer(find_protocol(protocol), space, spacing)
    total = ConfusionMatrix(len(space), ignore_index=space.ignore_index)
    groups: dict[str, ConfusionMatrix] = {}
    for item, prediction, target in pictures:
        one = ConfusionMatrix(len(space), ignore_index=space.ignore_index)
        one.update(prediction, target)
        total.merge(one)
        groups.setdefault(item.id.rpartition("/")[0], ConfusionMatrix(len(space))).merge(one)
        scorer.add(item, prediction, target)
    return scorer.finish(total, groups)


def item(name: str = "a") -> Item:
    return Item(name, Path("a.png"), Path("b.png"))


def test_every_data_set_names_its_protocol() -> None:
    for name, known in ENTRIES.items():
        assert PROTOCOLS[known.protocol.name] is known.protocol
        if name != "ade20k-full":
            known.protocol.check(known.space())


def test_everything_follows_from_one_table() -> None:
    for known in SETS:
        names = {entry.name for entry in known.ENTRIES}
        assert all(ENTRIES[entry.name] is entry for entry in known.ENTRIES)
        for name, layout in known.LAYOUTS.items():
            assert LAYOUTS[name] is layout and layout.dataset in names
    assert list(ENTRIES) == sorted(ENTRIES) and len(ENTRIES) == sum(len(known.ENTRIES) for known in SETS)


@pytest.mark.parametrize("name", [n for n in trees.PICTURES if n != "ade20k-full"])
def test_a_perfect_prediction_of_every_data_set(name: str, tmp_path: Path) -> None:
    dataset = open_dataset(trees.PICTURES[name](tmp_path))
    protocol = ENTRIES[LAYOUTS[name].dataset].protocol.name
    pictures = []
    for split in dataset.splits.values():
        pictures += [(one, target, target) for i, one in enumerate(split.items) for target in [split.read(i)[1]]]
    found = score(protocol, dataset.space, *pictures)
    assert found.protocol == protocol
    for said, value in found.values.items():
        assert value == pytest.approx(0.0 if said == "pixel error" else 1.0), said
    assert found.to_json()["values"].keys() == found.values.keys()


TARGET = np.array([[0, 0, 0, 0, 1, 1, 255, 255]], np.uint8)
PREDICTION = np.array([[0, 0, 0, 1, 1, 0, 1, 0]], np.uint8)


def test_skin_by_hand() -> None:
    found = score("pratheepan", people.SKIN, (item(), PREDICTION, TARGET))
    # Of 6 labelled elements 4 are right; skin: 1 hit, 1 missed, 1 invented.
    assert found.values == pytest.approx(
        {"precision": 0.5, "recall": 0.5, "F1": 0.5, "accuracy": 4 / 6, "skin IoU": 1 / 3}
    )


def test_inria_by_city() -> None:
    right = np.array([[0, 1]], np.uint8)
    found = score(
        "inria", BUILDINGS, (item("austin/austin1"), PREDICTION, TARGET), (item("vienna/vienna2"), right, right)
    )
    (cities,) = found.tables
    assert cities.rows == (("austin", (pytest.approx(1 / 3), pytest.approx(4 / 6))), ("vienna", (1.0, 1.0)))
    assert found.values == pytest.approx({"building IoU": 2 / 4, "accuracy": 6 / 8})


def test_void_predictions_are_misses() -> None:
    target = np.array([[0, 0, 3, 3]], np.uint8)
    prediction = np.array([[0, 255, 3, 3]], np.uint8)
    found = score("camvid", CAMVID, (item(), prediction, target))
    assert found.values == pytest.approx(
        {"global accuracy": 3 / 4, "class accuracy": (1 / 2 + 1) / 2, "mean IoU": (1 / 2 + 1) / 2}
    )


def test_ade_is_the_mean_of_two() -> None:
    space = ENTRIES["ade20k"].space()
    found = score("ade20k", space, (item(), PREDICTION, TARGET))
    iou = (3 / 5 + 1 / 3) / 2
    assert found.values == pytest.approx(
        {"pixel accuracy": 4 / 6, "mean IoU": iou, "score (their mean)": (4 / 6 + iou) / 2}
    )


def test_coco_stuff_tells_four_numbers() -> None:
    found = score("coco-stuff", ENTRIES["coco-stuff"].space(), (item(), PREDICTION, TARGET))
    assert found.values == pytest.approx(
        {
            "pixel accuracy": 4 / 6,
            "class accuracy": (3 / 4 + 1 / 2) / 2,
            "mean IoU": (3 / 5 + 1 / 3) / 2,
            "frequency-weighted IoU": (4 * 3 / 5 + 2 * 1 / 3) / 6,
        }
    )


def test_six_folds_are_pooled_and_not_averaged() -> None:
    folds = []
    for right, wrong in ((1, 0), (0, 9)):
        matrix = ConfusionMatrix(13)
        matrix.update([0] * right + [1] * wrong, [0] * (right + wrong))
        folds.append(matrix)
    found = s3dis.PROTOCOL.pooled(folds, s3dis.S3DIS)
    assert found.values["overall accuracy"] == pytest.approx(0.1), "0.5 would be the mean of the folds"
    with pytest.raises(UsageError, match="at least one fold"):
        s3dis.PROTOCOL.pooled([], s3dis.S3DIS)


def test_liver_slices_are_joined_to_cases() -> None:
    space = lits.LITS
    truth = np.zeros((4, 8, 8), np.uint8)
    truth[1:3, 2:6, 2:6] = 1
    truth[1, 3, 3:5] = 2
    guess = truth.copy()
    guess[truth == 2] = 1  # tumours taken for liver
    slices = [(item(f"case-1/{number}"), guess[number], truth[number]) for number in range(4)]
    more = [(item(f"case-2/{number}"), truth[number], truth[number]) for number in range(4)]
    found = score("lits", space, *slices, *more, spacing=(2.0, 1.0, 1.0))
    liver, _ = found.tables
    assert [row[0] for row in liver.rows] == ["case-1", "case-2"]
    assert found.values["liver Dice per case"] == 1.0 and found.values["liver ASSD"] == 0.0
    assert found.values["tumour Dice per case"] == 0.5 and found.values["tumour missed or invented"] == 1.0
    assert found.values["tumour Dice global"] == pytest.approx(2 * 2 / (2 + 4))
    assert not found.notes
    whole = score("lits", space, (item("one"), guess, truth), spacing=(2.0, 1.0, 1.0))
    assert whole.tables[0].rows[0][1] == liver.rows[0][1], "a volume at once is the same as its slices"
    assert "give the spacing" in score("lits", space, (item("one"), guess, truth)).notes[0]
    with pytest.raises(DataError, match="the slices of case-1 differ in size"):
        score("lits", space, slices[0], (item("case-1/2"), guess[0, :4], truth[0, :4]), more[0])


def test_names_and_classes_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match=r"no evaluation protocol is named 'cityscape'\. Did you mean 'cityscapes'"):
        find_protocol("cityscape")
    with pytest.raises(
        UsageError, match=r"defined for 19 or 7 classes; the data has others \(missing: .*not among them: Sky"
    ):
        ProtocolScorer(cityscapes.PROTOCOL, CAMVID)


# Cityscapes against cityscapesScripts


def scripts(monkeypatch: pytest.MonkeyPatch) -> tuple[object, SimpleNamespace]:
    peer = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    monkeypatch.setattr(np, "in1d", np.isin, raising=False)  # NumPy has dropped the old name
    return peer, SimpleNamespace(**vars(peer.args))


@pytest.mark.parametrize("seed", range(3))
def test_cityscapes_agrees_with_its_scripts(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer, settings = scripts(monkeypatch)
    dataset = open_dataset(trees.cityscapes(tmp_path))
    space = dataset.space
    ids = {name: label.id for label in cityscapes.LABELS for name in [label.name]}
    matrix, stats = peer.generateMatrix(settings), peer.generateInstanceStats(settings)
    random = np.random.default_rng(seed)
    pictures = []
    for split in dataset.splits.values():
        for index, one in enumerate(split.items):
            target = split.read(index)[1]
            wrong = random.integers(0, 19, target.shape)
            prediction = np.where((random.random(target.shape) < 0.6) & (target != 255), target, wrong).astype(np.uint8)
            prediction[random.random(target.shape) < 0.1] = 255
            pictures.append((one, prediction, target))
            stored = np.array([ids[name] for name in space.names] + [0])[np.minimum(prediction, 19)]
            path = tmp_path / f"prediction-{split.name}-{index}.png"
            Image.fromarray(stored.astype(np.uint8)).save(path)
            peer.evaluatePair(str(path), str(one.target), matrix, stats, {}, settings)
    found = score("cityscapes", space, *pictures)
    classes = {label: peer.getIouScoreForLabel(label, matrix, settings) for label in settings.evalLabels}
    instances = {
        label: peer.getInstanceIouScoreForLabel(label, matrix, stats, settings) for label in settings.evalLabels
    }
    categories = {name: peer.getIouScoreForCategory(name, matrix, settings) for name in peer.category2labels}
    category_instances = {
        name: peer.getInstanceIouScoreForCategory(name, matrix, stats, settings) for name in peer.category2labels
    }
    expected = {
        "IoU classes": peer.getScoreAverage(classes, settings),
        "IoU categories": peer.getScoreAverage(categories, settings),
        "iIoU classes": peer.getScoreAverage(instances, settings),
        "iIoU categories": peer.getScoreAverage(category_instances, settings),
    }
    assert found.values == pytest.approx(expected)
    tables = {table.title: dict(table.rows) for table in found.tables}
    for name in space.names:
        assert tables["classes"][name][0] == pytest.approx(classes[ids[name]], nan_ok=True)
    for name, (value,) in tables["instances by class"].items():
        assert value == pytest.approx(instances[ids[name]], nan_ok=True)
    for name, (value,) in tables["categories"].items():
        assert value == pytest.approx(categories[name], nan_ok=True)


def test_average_sizes_are_the_scripts_own() -> None:
    from intarsia.datasets.public.cityscapes.scores import SIZES

    peer = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    assert {name: peer.args.avgClassSize[name] for name in SIZES} == SIZES


def test_cityscapes_without_instance_maps(tmp_path: Path) -> None:
    dataset = open_dataset(trees.cityscapes_coarse(tmp_path))
    split = dataset.split("val")
    target = split.read(0)[1]
    found = score("cityscapes", dataset.space, (split.items[0], target, target))
    assert set(found.values) == {"IoU classes", "IoU categories"}
    assert "iIoU is not told: 1 pictures have no instance map" in found.notes[0]
    seven = open_dataset(trees.cityscapes(tmp_path / "fine"), ReadOptions(layout="cityscapes-7"))
    target = seven.split("val").read(0)[1]
    assert score("cityscapes", seven.space, (seven.split("val").items[0], target, target)).values == {
        "IoU categories": 1.0
    }


def test_an_instance_map_of_another_size(tmp_path: Path) -> None:
    dataset = open_dataset(trees.cityscapes(tmp_path))
    split: Split = dataset.split("val")
    one = split.items[0]
    assert one.instances is not None
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(one.instances)
    target = split.read(0)[1]
    with pytest.raises(DataError, match="it has another size than the labels"):
        score("cityscapes", dataset.space, (one, target, target))
