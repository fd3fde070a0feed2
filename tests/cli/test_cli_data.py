"""`intarsia data` and `intarsia evaluate` on public data sets, manifests and remapped classes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trees
from commands import Cli
from PIL import Image
from tiny import TinyRun

import intarsia
from intarsia.datasets.public import ENTRIES


@pytest.mark.parametrize("name", ENTRIES)
def test_info_describes_every_public_data_set(name: str, cli: Cli) -> None:
    assert cli("data", "info", name) == 0
    known = ENTRIES[name]
    for part in (
        known.title,
        known.license,
        known.citation,
        known.homepage,
        *known.steps,
        f"--protocol {known.protocol.name}",
    ):
        assert part in cli.out
    found = cli.json("data", "info", name)
    assert found["name"] == name and found["classes"]["names"] == list(known.space().names)


def test_info_tells_names_from_folders(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trees.camvid(tmp_path / "camvid")
    assert cli("data", "info", "camvid") == 0
    assert "3 labelled images, layout camvid" in cli.out, "a folder of this name comes first"
    assert cli("data", "info", "cityscpes") == 2
    assert "no data set is named 'cityscpes'. Did you mean 'cityscapes'?" in cli.err
    assert cli("data", "info", "some/where") == 3


def test_check_says_which_layout_it_found(cli: Cli, tmp_path: Path) -> None:
    assert cli("data", "check", trees.pascal_voc(tmp_path)) == 0
    assert "layout pascal-voc" in cli.out
    assert "Pascal VOC (VOC2012) with its official splits" in cli.out


def test_get(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("data", "get", "cityscapes", "-o", tmp_path / "x") == 2
    assert "Cityscapes cannot be fetched by a program" in cli.err and "1. register at the homepage" in cli.err
    assert not (tmp_path / "x").exists()
    from intarsia.datasets import download

    asked = []
    monkeypatch.setattr(download, "fetch", lambda one, folder, progress: asked.append(one.name) or archive)
    archive = tmp_path / "voc.zip"
    import zipfile

    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("VOCdevkit/a.txt", "a")
    found = cli.json("data", "get", "pascal-voc", "-o", tmp_path / "voc")
    assert asked == ["VOCtrainval_11-May-2012.tar"]
    assert found["unpacked"] == [str(tmp_path / "voc/VOCdevkit")]


# --- evaluation -------------------------------------------------------------------------------------------------------

CAMVID_WORDS = {
    "sky": "Sky",
    "building": "Building",
    "tree": "Tree",
    "road": "Road",
    "car": "Car",
    "person": "Pedestrian",
}


@pytest.fixture
def street(tmp_path: Path, tiny_run: TinyRun) -> Path:
    """A few scenes as a data set with CamVid's values, and a bundle that knows six of its classes."""
    from intarsia.bundle import Bundle
    from intarsia.labels import LabelSpace

    names = intarsia.LabelSpace(("sky", "building", "tree", "road", "car", "person")).names
    camvid = ENTRIES["camvid"].space()
    for number in range(3):
        stem = f"scene_{number:03d}.png"
        for source, target in (("images", "val"), ("masks", "valannot")):
            (tmp_path / "camvid" / target).mkdir(parents=True, exist_ok=True)
            picture = Image.open(tiny_run.data / source / stem)
            if source == "masks":
                table = np.array([camvid.index(CAMVID_WORDS[name]) for name in names] + [11], np.uint8)
                labels = table[np.asarray(picture)]
                labels[0, 0] = 11
                picture = Image.fromarray(labels)
            picture.save(tmp_path / "camvid" / target / stem)
    bundle = Bundle.load(tiny_run.run.best)
    replace(bundle, space=LabelSpace(tuple(CAMVID_WORDS[name] for name in names))).save(tmp_path / "model.safetensors")
    return tmp_path


def test_evaluate_by_an_official_protocol(street: Path, cli: Cli) -> None:
    found = cli.json("evaluate", street / "camvid", "-m", street / "model.safetensors", "--protocol", "camvid")
    assert found["classes"] == list(ENTRIES["camvid"].space().names), "the data set's classes count"
    assert set(found["protocol"]["values"]) == {"global accuracy", "class accuracy", "mean IoU"}
    assert found["protocol"]["values"]["mean IoU"] == found["scores"]["miou"]
    assert set(found["unmatched"]) == {"Pole", "Pavement", "SignSymbol", "Fence", "Bicyclist"}
    assert cli("evaluate", street / "camvid", "-m", street / "model.safetensors", "--protocol", "camvid") == 0
    assert "Protocol camvid:  global accuracy " in cli.out and "The model does not know Pole, " in cli.out


def test_evaluate_with_remapped_classes(street: Path, tiny_run: TinyRun, cli: Cli) -> None:
    words = {new: old for old, new in CAMVID_WORDS.items()}
    path = street / "remap.json"
    path.write_text(json.dumps({"map": words, "rest": "ignore"}))
    found = cli.json("evaluate", street / "camvid", "-m", tiny_run.run.best, "--remap", path)
    assert found["classes"][:2] == ["sky", "building"] and not found["unmatched"]
    assert cli("evaluate", street / "camvid", "-m", tiny_run.run.best) == 3
    assert "share no class" in cli.err and "--remap" in cli.err
    words["Skye"] = words.pop("Sky")
    path.write_text(json.dumps({"map": words, "rest": "ignore"}))
    assert cli("evaluate", street / "camvid", "-m", tiny_run.run.best, "--remap", path) == 2
    assert "no class 'Skye'. Did you mean 'Sky'?" in cli.err


def test_protocols_that_do_not_fit(street: Path, cli: Cli) -> None:
    model = street / "model.safetensors"
    assert cli("evaluate", street / "camvid", "-m", model, "--protocol", "camvidd") == 2
    assert "Did you mean 'camvid'?" in cli.err
    assert cli("evaluate", street / "camvid", "-m", model, "--protocol", "ade20k") == 2
    assert "the protocol ade20k is defined for 150 classes" in cli.err
    assert cli("evaluate", street / "camvid", "-m", model, "--protocol", "camvid", "--curves") == 2
    assert "ask for one of them" in cli.err


def test_evaluate_takes_a_manifest(street: Path, cli: Cli) -> None:
    rows = [f"val/scene_{n:03d}.png,valannot/scene_{n:03d}.png,val" for n in range(2)]
    (street / "camvid/list.csv").write_text("\n".join(["image,mask,split", *rows]))
    (street / "camvid/classes.txt").write_text("\n".join((*ENTRIES["camvid"].space().names, "void")))
    found = cli.json("evaluate", street / "camvid/list.csv", "-m", street / "model.safetensors")
    assert len(found["images"]) == 2


@pytest.mark.needs_torch
def test_train_on_a_data_set_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    assert cli("train", tmp_path / "cityscapes") == 2
    assert "If you mean the data set Cityscapes:\nHow to get it:\n  1. register at the homepage" in cli.err


def test_train_takes_a_manifest_and_says_so(tiny_run: TinyRun, cli: Cli, tmp_path: Path) -> None:
    from tiny import TINY

    rows = [f"images/scene_{n:03d}.png,masks/scene_{n:03d}.png" for n in range(12)]
    path = tiny_run.data.parent / "scenes" / "list.csv"
    path.write_text("\n".join(["image,mask", *rows]))
    settings = [part for change in TINY for part in ("--set", change)]
    try:
        assert cli("train", path, "-o", tmp_path / "run", "--epochs", "1", *settings) == 0, cli.err
    finally:
        path.unlink()
    assert "layout manifest" in cli.err


def test_a_question_about_values_is_answered_by_the_options_that_it_names(cli: Cli, tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    raw = np.kron([[0, 16, 95], [123, 145, 255]], np.ones((8, 8), int)).astype(np.uint8)
    for name in "ab":
        Image.fromarray(np.random.default_rng(ord(name)).integers(0, 255, (16, 24, 3)).astype(np.uint8)).save(
            tmp_path / f"data/images/{name}.png"
        )
        Image.fromarray(raw).save(tmp_path / f"data/masks/{name}.png")
    assert cli("data", "check", tmp_path / "data") == 3
    assert 'does 255 mean "not labelled"' in cli.err and "--ignore 255" in cli.err and "--classes" in cli.err
    assert cli("data", "check", tmp_path / "data", "--ignore", "255") == 0
    assert "not labelled   16.67%" in cli.out
    (tmp_path / "names.csv").write_text("id,name\n0,a\n16,b\n95,c\n123,d\n145,e\n255,f\n")
    for classes in ("a,b,c,d,e,f", tmp_path / "names.csv", "0:a,16:b,95:c,123:d,145:e,255:f"):
        assert cli("data", "check", tmp_path / "data", "--classes", classes) == 0
        assert "Mask values are read as 0 a, 16 b, 95 c, 123 d, 145 e, 255 f." in cli.out


def test_a_recipe_of_several_data_sets_is_checked_as_one(cli: Cli, tmp_path: Path) -> None:
    for name in ("a", "b"):
        for kind in ("images", "masks"):
            (tmp_path / name / kind).mkdir(parents=True)
        for number in range(2):
            photo = np.random.default_rng(number).integers(0, 256, (8, 12, 3), dtype=np.uint8)
            Image.fromarray(photo).save(tmp_path / name / f"images/{number}.png")
            Image.fromarray(np.eye(8, 12, dtype=np.uint8)).save(tmp_path / name / f"masks/{number}.png")
    recipe = tmp_path / "two.yaml"
    recipe.write_text(f"data:\n  - path: {tmp_path / 'a'}\n  - path: {tmp_path / 'b'}\n")
    found = cli.json("data", "info", recipe)
    assert {name: split["images"] for name, split in found["splits"].items()} == {"train": 2, "val": 2}
    assert cli("data", "check", recipe) == 0 and "layout folder, usable masks: train 2, val 2" in cli.out
    assert cli("data", "check", recipe, "--ignore", "3") == 2
    assert "a recipe says itself how its data are read; write ignore into its data" in cli.err
