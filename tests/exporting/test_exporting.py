"""From a bundle to files of other runtimes; what is not right is not written."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from commands import Cli
from small import SMALL, small
from torch import nn

import intarsia
from intarsia.bundle import Bundle, Description, Exported
from intarsia.datasets import open_dataset
from intarsia.datasets.synthetic import write_scenes
from intarsia.errors import DataError, ModelError, UsageError
from intarsia.exporting.exporting import Exporter
from intarsia.exporting.graph import to_onnx
from intarsia.exporting.request import check_request
from intarsia.models import SegmentationModel
from intarsia.preprocessing import Preprocessing

NAME = "deeplabv1"  # the quickest to translate


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("scenes"), 10, (48, 64))


@pytest.fixture(scope="module")
def bundle(data: Path) -> Bundle:
    space = open_dataset(data).space
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = small(NAME, len(space))
        for module in model.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
    return Bundle(NAME, SMALL[NAME], space, Preprocessing(), state=model.state_dict())


@cache
def _translated() -> dict[str, onnx.ModelProto]:
    return {}


def translate(model: SegmentationModel, points: int = 0) -> onnx.ModelProto:
    """`to_onnx`, once for the one bundle here."""
    held = _translated()
    if not held:
        held["network"] = to_onnx(model)
    return onnx.ModelProto.FromString(held["network"].SerializeToString())


def exporter(bundle: Bundle, file: Path, **more: object) -> Exporter:
    given = {"max_drop": 0.3, "stage": lambda what: None, "translate": translate} | more
    return Exporter(bundle, file, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "precision"), [("net.onnx", "fp32"), ("net.onnx", "fp16"), ("net.xml", "fp32"), ("net.xml", "fp16")]
)
def test_a_file_segments_as_its_bundle(bundle: Bundle, data: Path, tmp_path: Path, name: str, precision: str) -> None:
    split = open_dataset(data, val_fraction=0).split("all")
    made = exporter(bundle, tmp_path / name, verification=split, max_drop=5.0).run(precision)
    assert made.file == tmp_path / name and made.exported == Exported.load(made.file)
    assert made.exported.origin == bundle.checksum() and made.exported.precision == precision
    record = made.exported.record
    assert record["opset"] == 18 and record["verification"]["items"] == 10
    assert len(record["verification"]["sha256"]) == 64 and record["processor"].startswith("cpu ")
    assert abs(record["verification"]["miou"]["drop"]) <= 5 and json.dumps(made.to_json())
    assert made.exported.agreement >= (0.9999 if precision == "fp32" else 0.98)
    described = Description.load(made.file)
    assert described.space == bundle.space and described.preprocessing == bundle.preprocessing
    picture = next(iter((data / "images").iterdir()))
    whole = intarsia.inference.Predictor(bundle, precision="fp32")
    same = intarsia.load(made.file).segment(picture).labels == whole.segment(picture).labels
    assert same.mean() >= 0.98
    if precision == "fp32":  # sums are rounded in another order: only what is as good as a tie may differ
        second, first = np.sort(whole.probabilities(picture), axis=0)[-2:]
        assert same[first - second > 1e-3].all() and (first - second > 1e-3).mean() > 0.9
    assert sorted(path.name for path in tmp_path.iterdir()) == (["net.bin", "net.xml"] if name == "net.xml" else [name])
    numbers = tmp_path / ("net.bin" if name == "net.xml" else name)
    stored = sum(tensor.numel() for tensor in bundle.state.values())
    assert numbers.stat().st_size < (3.5 if precision == "fp16" else 6) * stored + 20_000


def test_what_costs_too_much_is_not_written(bundle: Bundle, data: Path, tmp_path: Path) -> None:
    split = open_dataset(data, val_fraction=0).split("all")

    def wrong(model: SegmentationModel, points: int) -> onnx.ModelProto:
        network = translate(model)
        last = [t for t in network.graph.initializer if t.name.startswith("head") and len(t.dims) == 4][-1]
        last.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(last), last.name))
        return network

    with pytest.raises(
        ModelError, match=r"onnx does not compute the same: .* % of the labels agree.*nothing was written"
    ):
        exporter(bundle, tmp_path / "net.onnx", translate=wrong).run("fp32")
    with pytest.raises(ModelError, match=r"fp16 costs .* points of mIoU .*, more than -100 .*nothing was written"):
        exporter(bundle, tmp_path / "net.onnx", verification=split, max_drop=-100).run("fp16")
    assert list(tmp_path.iterdir()) == []


def test_calibration_and_verification_are_kept_apart(bundle: Bundle, data: Path, tmp_path: Path) -> None:
    split = open_dataset(data, val_fraction=0).split("all")
    with pytest.raises(UsageError, match="10 items of the data to verify on would be calibrated on too"):
        exporter(bundle, tmp_path / "net.xml", calibration=split, verification=split).run("int8")


def test_classes_that_the_model_does_not_know_are_told(bundle: Bundle, data: Path, tmp_path: Path) -> None:
    other = shutil.copytree(data, tmp_path / "scenes")
    names, last = other / "classes.txt", bundle.space.names[-1]
    names.write_text(names.read_text().replace(last, "oddity"))
    split = open_dataset(other, val_fraction=0).split("all")
    made = exporter(bundle, tmp_path / "net.onnx", verification=split, max_drop=100.0).run("fp32")
    assert [note.split(":")[0] for note in made.notes] == ["The model does not know oddity"]


def test_eight_bits_are_calibrated_measured_and_told(bundle: Bundle, data: Path, tmp_path: Path) -> None:
    splits = open_dataset(data, val_fraction=0.4).splits
    given = {"calibration": splits["train"], "verification": splits["val"]}
    made = exporter(bundle, tmp_path / "net.xml", **given, max_drop=100.0).run("int8")
    record = made.exported.record
    assert made.exported.precision == "int8" and made.notes == ()
    assert record["int8"]["layers"] > 3 and record["int8"]["given_back"] == []
    assert record["calibration"]["items"] == len(splits["train"]) and len(record["calibration"]["sha256"]) == 64
    assert record["verification"]["items"] == len(splits["val"]) and record["measured"]["precision"] == "int8"
    assert intarsia.load(made.file).identity().runtime["precision"] == "int8"


@pytest.mark.parametrize(
    ("name", "precision", "calibrated", "message"),
    [
        ("net.pt", "fp32", False, r"net\.pt: an exported network's name ends in \.onnx or \.xml"),
        ("net.onnx", "fp23", False, "no precision is named 'fp23'. Did you mean 'fp32'?"),
        ("net.onnx", "int8", True, r"ONNX files are exported in fp32 or fp16, and int8 is for OpenVINO: -o .*net\.xml"),
        ("net.xml", "int8", False, "int8 needs --calibrate DATA, labelled data"),
        ("net.xml", "bf16", True, "--calibrate is for int8 and means nothing to bf16"),
    ],
)
def test_what_cannot_be_asked_is_said_before_any_work(
    tmp_path: Path, name: str, precision: str, calibrated: bool, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        check_request(tmp_path / name, precision, calibrated=calibrated, max_drop=0.3, overwrite=False)


def test_files_that_are_there_are_kept(tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(b"")
    with pytest.raises(UsageError, match=r"net\.bin exists; give another name \(-o\), or --overwrite"):
        check_request(tmp_path / "net.xml", "fp32", calibrated=False, max_drop=0.3, overwrite=False)
    check_request(tmp_path / "net.xml", "fp32", calibrated=False, max_drop=0.3, overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is a file or a broken link"):
        check_request(tmp_path / "file" / "net.xml", "fp32", calibrated=False, max_drop=0.3, overwrite=False)


def test_the_command_says_what_is_wrong(cli: Cli, bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "net.safetensors")
    assert cli("export", tmp_path / "net.safetensors", "-o", tmp_path / "net.xml", "--precision", "int8") == 2
    assert "int8 needs --calibrate DATA" in cli.err
    assert cli("export", "airborne-lidar", "-o", tmp_path / "net.xml") == 2
    assert "networks of points are exported for ONNX Runtime alone" in cli.err
    assert cli("export", "stret", "-o", tmp_path / "net.onnx") == 2 and "Did you mean 'street'?" in cli.err


def test_a_converted_network_is_written_as_it_stands(tmp_path: Path) -> None:
    found = intarsia.export("person", tmp_path / "person.onnx")
    assert found.exported.sizes == ((256, 256),) and found.exported.agreement == 1
    copied = Description.load(found.file)
    assert copied.is_converted and copied.card["origin"].startswith("mediapipe 0.10.21")
    with pytest.raises(ModelError, match=r"face.onnx: it does not tell .*unless it is one step of several"):
        intarsia.export("face", tmp_path / "face.onnx")
