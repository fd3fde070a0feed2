from __future__ import annotations

import json
import math
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from intarsia.bundle import FORMAT, Bundle
from intarsia.errors import DataError, ModelError
from intarsia.labels import LabelSpace
from intarsia.preprocessing import Preprocessing

SPACE = LabelSpace(("road", "car"), ((1, 2, 3), (4, 5, 6)))


def make_bundle() -> Bundle:
    return Bundle(
        architecture="unet",
        options={"encoder": "test_resnet", "channels": [8, 8]},
        space=SPACE,
        preprocessing=Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), long_side=480),
        state={
            "conv.weight": torch.linspace(-1, 1, 24).view(2, 3, 2, 2).contiguous(memory_format=torch.channels_last),
            "norm.running_mean": torch.tensor([0.1, 1e-9]),
            "norm.num_batches_tracked": torch.tensor(7),
        },
        recipe={"name": "x", "training": {"epochs": 3}},
        metrics={"val": {"miou": 0.5, "iou": [0.5, math.nan]}},
        card={"license": "CC0 – free"},
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    make_bundle().save(path)
    return path


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the JSON document of a saved bundle."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        document = json.loads(file.metadata()["intarsia"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    change(document)
    save_file(tensors, path, metadata={"intarsia": json.dumps(document)})


def test_round_trip(saved: Path) -> None:
    wanted, found = make_bundle(), Bundle.load(saved)
    assert found.source == str(saved)
    assert (found.architecture, found.options, found.space) == (wanted.architecture, wanted.options, SPACE)
    assert found.preprocessing == wanted.preprocessing
    assert found.recipe == wanted.recipe and found.card == wanted.card
    assert found.metrics == {"val": {"miou": 0.5, "iou": [0.5, None]}}
    assert found.state.keys() == wanted.state.keys()
    for name, tensor in wanted.state.items():
        assert torch.equal(found.state[name], tensor) and found.state[name].dtype == tensor.dtype
    assert os.listdir(saved.parent) == ["model.safetensors"]


def test_grey_preprocessing_survives_and_others_are_refused(tmp_path: Path, saved: Path) -> None:
    bundle = make_bundle()
    bundle.preprocessing = Preprocessing(mean=(0.5,), std=(0.25,))
    bundle.save(tmp_path / "grey.safetensors")
    assert Bundle.load(tmp_path / "grey.safetensors").preprocessing == bundle.preprocessing
    rewrite(saved, lambda document: document["preprocessing"].update(std=[0.25]))
    with pytest.raises(ModelError, match=r"not valid at preprocessing: .* or one for grey pictures, not 3 and 1"):
        Bundle.load(saved)


def test_half_keeps_statistics_exact_and_loads_as_float32(tmp_path: Path) -> None:
    make_bundle().save(tmp_path / "half.safetensors", half=True)
    state = Bundle.load(tmp_path / "half.safetensors").state
    wanted = make_bundle().state
    assert state["conv.weight"].dtype == torch.float32
    assert torch.equal(state["conv.weight"], wanted["conv.weight"].half().float())
    assert torch.equal(state["norm.running_mean"], wanted["norm.running_mean"])


def test_half_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    bundle = make_bundle()
    bundle.state["conv.weight"] *= 1e6
    with pytest.raises(ModelError, match=r"conv\.weight has values that float16 cannot hold; save .* half=False"):
        bundle.save(tmp_path / "half.safetensors", half=True)
    assert list(tmp_path.iterdir()) == []


def test_checksum_is_of_what_decides_predictions(saved: Path) -> None:
    checksum = make_bundle().checksum()
    assert Bundle.load(saved).checksum() == checksum
    other = make_bundle()
    other.metrics, other.card = {}, {}
    assert other.checksum() == checksum
    other.state["norm.running_mean"][0] += 1
    assert other.checksum() != checksum


def test_save_wants_the_suffix(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.pth: a bundle's name ends in \.safetensors"):
        make_bundle().save(tmp_path / "model.pth")


@pytest.mark.parametrize("kept", [3, 8, 40, 0.5, 0.98])
def test_truncated(saved: Path, kept: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(kept if kept > 1 else kept * len(content))])
    reason = "header is forged or damaged" if kept == 3 else "truncated"
    with pytest.raises(ModelError, match=rf"model\.safetensors: .*{reason}.*; fetch"):
        Bundle.load(saved)


HEADERS = [
    (b"", "the file is empty"),
    ((2**63).to_bytes(8, "little") + b"{}", "not a safetensors file .*forged or damaged"),
    ((90_000_000).to_bytes(8, "little") + b"{}", "truncated in its header"),
    ((0).to_bytes(8, "little"), "forged or damaged"),
    ((4).to_bytes(8, "little") + b"{no}", "forged or damaged"),
    ((6).to_bytes(8, "little") + b'{"a":1' + b"}", "forged or damaged"),
    ((4).to_bytes(8, "little") + b"[12]", "forged or damaged"),
    ((7).to_bytes(8, "little") + b'{"a":1}', "forged or damaged"),
    ((200_000).to_bytes(8, "little") + b"[" * 200_000, "forged or damaged"),
    ((2).to_bytes(8, "little") + b"{}", "it holds no weights"),
    (b"<!DOCTYPE html><html>Not found</html>", "not a safetensors file"),
    (b"version https://git-lfs.github.com/spec/v1\n", "not a safetensors file"),
]


@pytest.mark.parametrize(("content", "message"), HEADERS)
def test_forged_headers(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "forged.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"forged\.safetensors: .*{message}"):
        Bundle.load(path)


def test_a_picture_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    with pytest.raises(ModelError, match=r"a\.png: no model; one is a \.safetensors, \.onnx or \.xml file"):
        Bundle.load(tmp_path / "a.png")


def test_tensors_that_overlap(tmp_path: Path) -> None:
    tensor = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    save_file({"a": torch.zeros(2), "b": torch.zeros(2)}, tmp_path / "x.safetensors")
    make_bundle().save(tmp_path / "forged.safetensors")
    content = (tmp_path / "forged.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header = {"__metadata__": header["__metadata__"], "a": tensor, "b": tensor}
    raw = json.dumps(header).encode()
    (tmp_path / "forged.safetensors").write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(16))
    with pytest.raises(ModelError, match=r"forged\.safetensors: its tensors cannot be read"):
        Bundle.load(tmp_path / "forged.safetensors")


class Bomb:
    """Would leave a file behind when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_pickles_never_run(tmp_path: Path, name: str, kind: str) -> None:
    victim = tmp_path / "executed"
    path = tmp_path / name
    if kind == "torch":
        torch.save({"x": Bomb(victim)}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(victim)))
    with pytest.raises(ModelError, match=rf"{re.escape(name)}: a PyTorch pickle .*can run code.*reads \.safetensors"):
        Bundle.load(path)
    assert not victim.exists()
    pickle.loads(pickle.dumps(Bomb(victim)))
    assert victim.exists(), "the fixture does not do what it pretends"


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.safetensors: no such bundle; check the path"):
        Bundle.load(tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match="a folder, not a bundle"):
        Bundle.load(tmp_path)


def test_weights_without_a_description(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    for metadata in (None, {"format": "pt"}):
        save_file({"a": torch.zeros(2)}, path, metadata=metadata)
        with pytest.raises(ModelError, match=r"weights\.safetensors: a safetensors file, but not an Intarsia bundle"):
            Bundle.load(path)


def test_description_that_is_not_json(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for text in ("{", "[" * 100_000):
        save_file({"a": torch.zeros(2)}, path, metadata={"intarsia": text})
        with pytest.raises(ModelError, match=r"x\.safetensors: its description is not valid JSON"):
            Bundle.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format=FORMAT + 1), "newer Intarsia .format 2; this one reads up to 1.; upgrade: pip"),
        (lambda d: d.pop("architecture"), "description is not valid at architecture: Field required"),
        (lambda d: d.update(code="import os"), "description is not valid at code: Extra inputs are not permitted"),
        (lambda d: d["preprocessing"].update(std=[0, 1, 1]), "not valid at preprocessing.std.0: .*greater than 0"),
        (
            lambda d: d["space"].update(names=[]),
            "its label space is not usable: a label space needs at least one class",
        ),
        (lambda d: d["space"].update(names=["a", "b", "c"], palette=[]), "it names 3 classes, but .* saved with 2"),
    ],
)
def test_forged_descriptions(saved: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    rewrite(saved, change)
    with pytest.raises(ModelError, match=rf"model\.safetensors: .*{message}"):
        Bundle.load(saved)


def test_a_full_disk_leaves_the_old_bundle(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr("intarsia.files.sync", full)
    with pytest.raises(DataError, match="the disk is full"):
        make_bundle().save(saved)
    assert saved.read_bytes() == before
    assert np.array_equal(Bundle.load(saved).state["norm.running_mean"], make_bundle().state["norm.running_mean"])
