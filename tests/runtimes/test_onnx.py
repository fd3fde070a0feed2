"""Exported networks on ONNX Runtime, and which files are one; none of it needs torch."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_made import PLAIN, SPACE, described, field, network, tensor, write_onnx
from safetensors.numpy import save_file

import intarsia
from intarsia.bundle import Description, Exported, onnxfile
from intarsia.bundle.forms import form_of
from intarsia.errors import ModelError, UsageError
from intarsia.labels import LabelSpace
from intarsia.runtimes import choose
from intarsia.runtimes.choice import Measured, fastest, measure
from intarsia.runtimes.contract import Precision
from intarsia.runtimes.exported import exported_file, find_exported
from intarsia.runtimes.onnx import OnnxRuntime


def bright_on_the_right(height: int = 20, width: int = 32) -> np.ndarray:
    image = np.full((height, width, 3), 40, np.uint8)
    image[:, width // 2 :] = 220
    return image


def test_an_exported_network_segments(tmp_path: Path) -> None:
    model = intarsia.load(write_onnx(tmp_path / "net.onnx"), runtime="onnx")
    found = model.segment(bright_on_the_right())
    assert np.array_equal(found.labels, bright_on_the_right()[..., 0] > 127)
    runtime = model.identity().runtime
    assert found.space == SPACE and (runtime["name"], runtime["precision"]) == ("onnx", "fp32")
    assert runtime["processor"].startswith("cpu ")


def test_the_runtime_is_chosen_by_measurement(tmp_path: Path) -> None:
    model = intarsia.load(write_onnx(tmp_path / "net.onnx"))
    assert np.array_equal(model.segment(bright_on_the_right()).labels, bright_on_the_right()[..., 0] > 127)
    assert model.identity().runtime["name"] in ("onnx", "openvino")


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 5), (8, 4)])
def test_any_size_and_batch(tmp_path: Path, shape: tuple[int, int]) -> None:
    runtime = OnnxRuntime(write_onnx(tmp_path / "net.onnx"), 2)
    logits = runtime.logits(np.ones((3, 3, *shape), np.float32))
    assert logits.shape == (3, 2, -(-shape[0] // 4), -(-shape[1] // 4)) and logits.dtype == np.float32
    assert np.allclose(logits[:, 1], 0.5) and np.allclose(logits[:, 0], -0.5)


def test_the_file_says_how_it_is_used(tmp_path: Path) -> None:
    file = write_onnx(tmp_path / "net.onnx", stride=2, margin=7, align_corners=True, precision="int8")
    runtime = OnnxRuntime(file, 2)
    told = (runtime.stride, runtime.margin, runtime.align_corners, runtime.precision, runtime.in_channels)
    assert told == (2, 7, True, "int8", 3)
    description = Description.load(file)
    with pytest.raises(UsageError, match=r"exported in int8; use auto, or export it again with --precision fp32"):
        OnnxRuntime.of(description, file, "fp32")
    with pytest.raises(ModelError, match="gives 2 classes, and its description names 3"):
        OnnxRuntime(file, 3)


def test_stated_sizes_are_kept(tmp_path: Path) -> None:
    runtime = OnnxRuntime(write_onnx(tmp_path / "net.onnx", sizes=[[8, 12]]), 2)
    assert runtime.logits(np.zeros((1, 3, 8, 12), np.float32)).shape == (1, 2, 2, 3)
    with pytest.raises(ModelError, match="exported for pictures of 12x8 pixels, not 8x8"):
        runtime.logits(np.zeros((1, 3, 8, 8), np.float32))


def test_weights_are_read_by_name(tmp_path: Path) -> None:
    weight = np.arange(6, dtype=np.float16).reshape(2, 3, 1, 1)
    file = write_onnx(tmp_path / "net.onnx", network(weight))
    tensors = form_of(file).tensors(file)
    assert tensors.keys() == {"head.weight", "head.bias"} and np.array_equal(tensors["head.weight"], weight)
    assert tensors["head.weight"].dtype == np.float16


def test_the_checksum_is_of_the_graph_and_the_description(tmp_path: Path) -> None:
    first = Description.load(write_onnx(tmp_path / "a.onnx")).checksum()
    assert Description.load(write_onnx(tmp_path / "b.onnx", margin=3)).checksum() == first
    other = np.ones((2, 3, 1, 1), np.float32)
    assert Description.load(write_onnx(tmp_path / "c.onnx", network(other))).checksum() != first
    renamed = LabelSpace(("dim", "bright"))
    assert Description.load(write_onnx(tmp_path / "d.onnx", space=renamed)).checksum() != first


def test_auto_takes_what_was_made_from_the_bundle_with_the_same_labels(tmp_path: Path) -> None:
    description = Description("threshold", {}, SPACE, PLAIN)
    bundle = tmp_path / "net.safetensors"
    weights = {"head.weight": np.zeros((2, 3, 1, 1), np.float32)}
    save_file(weights, bundle, metadata={"intarsia": description.to_metadata()})
    found = Description.load(bundle)
    assert chosen(found) == "torch" and find_exported(found, ".onnx") is None
    with pytest.raises(UsageError, match=r"no exported network beside it .* intarsia export .*net\.safetensors -o"):
        exported_file(found, ".onnx")

    file = write_onnx(tmp_path / "net.onnx", description=found, origin=found.checksum())
    assert chosen(found) == chosen(found, "fp32") == "exported"
    assert exported_file(found, ".onnx") == file
    assert chosen(found, "int8") == choose(found, "auto", "cuda")[0] == "torch"
    assert chosen(found.with_options({"channels": 3})) == "torch"  # another network

    write_onnx(file, description=found, origin=found.checksum(), agreement=0.99)
    assert chosen(found) == "torch" and chosen(Description.load(file)) == "exported"
    write_onnx(file, description=found, origin="of an earlier training")
    assert chosen(found) == "torch"
    file.write_bytes(b"torn")
    assert chosen(found) == "torch"


def chosen(description: Description, precision: Precision = "auto") -> str:
    """What is chosen on the CPU; which of the exported runtimes is faster, is this machine's matter."""
    name = choose(description, precision, "cpu")[0]
    return "exported" if name in ("onnx", "openvino") else name


@pytest.mark.parametrize(
    ("openvino", "bf16", "wanted", "expected"),
    [
        (-20, None, "auto", ("onnx", "fp32")),  # faster, but with other labels
        (30, None, "auto", ("openvino", "fp32")),
        (36, None, "auto", ("onnx", "fp32")),  # not by so much that it would make up for its later start
        (60, 25, "auto", ("openvino", "bf16")),
        (60, 25, "fp32", ("onnx", "fp32")),
        (60, 30, "auto", ("onnx", "fp32")),  # it rounds, and is not clearly faster
        (60, None, "bf16", None),
    ],
)
def test_the_fastest_is_measured_once_and_kept(
    tmp_path: Path, openvino: float, bf16: float | None, wanted: Precision, expected: tuple[str, str] | None
) -> None:
    description = Description.load(write_onnx(tmp_path / "net.onnx"))
    found = [
        Measured("onnx", "fp32", 50, 1.0),
        Measured("openvino", "fp32", abs(openvino), 1.0 if openvino > 0 else 0.998),
    ]
    found += [] if bf16 is None else [Measured("openvino", "bf16", bf16, 0.996)]
    calls: list[int] = []

    def measured() -> list[Measured]:
        calls.append(1)
        return found

    for _ in range(2):
        assert fastest(description, wanted, measured, tmp_path / "kept") == expected
    assert len(calls) == 1


def test_threads_that_ask_at_once_get_the_same_runtime(tmp_path: Path) -> None:
    """Each measurement would name another one: the second thread has to wait for the first one's."""
    description = Description.load(write_onnx(tmp_path / "net.onnx"))
    turns = iter((10.0, 90.0))

    def measured() -> list[Measured]:
        took = next(turns)
        time.sleep(0.2)  # the other thread asks meanwhile
        return [Measured("onnx", "fp32", 40, 1.0), Measured("openvino", "fp32", took, 1.0)]

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda _: fastest(description, "auto", measured, tmp_path / "kept"), range(2)))
    assert found == [("openvino", "fp32")] * 2 and next(turns) == 90.0


class Fake:
    """A runtime that may round."""

    in_channels, stride, align_corners, margin, processor = 3, 1, False, 0, "any"

    def __init__(self, name: str, precision: str) -> None:
        self.name, self.precision = name, precision

    def logits(self, x: np.ndarray, place: object = None) -> np.ndarray:
        first = x[:, :1] - (0.02 if self.precision == "bf16" else 0)
        return np.concatenate([first, np.zeros_like(first)], axis=1)


def test_what_is_measured_of_exported_runtimes() -> None:
    def make(name: str, precision: Precision) -> Fake:
        if name == "onnx" and precision == "bf16":
            raise UsageError("exported in fp32")
        return Fake(name, "bf16" if precision == "bf16" else "fp32")

    found = {(one.runtime, one.precision): one for one in measure(make, rounds=1)}
    assert found.keys() == {("onnx", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")}
    assert found["openvino", "fp32"].agreement == 1 and 0.95 < found["openvino", "bf16"].agreement < 1
    assert all(one.milliseconds > 0 for one in found.values())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\x00" * 50, "no ONNX file, or a truncated or damaged one"),
        (b"PK\x03\x04 a zip archive, perhaps of torch", "no ONNX file, or a truncated or damaged one"),
        (network(), "an ONNX file, but not an Intarsia model"),
        (network()[:-20], "no ONNX file, or a truncated or damaged one"),
    ],
    ids=["empty", "zeros", "zip", "foreign", "truncated"],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        intarsia.load(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("place", ["initializer", "in a node", "in a graph within a node"])
def test_weights_in_other_files_are_never_opened(tmp_path: Path, place: str) -> None:
    (tmp_path / "secret").write_bytes(b"\0" * 24)
    outside = tensor("head.weight", np.zeros((2, 3, 1, 1), np.float32), external="../secret")
    if place == "initializer":
        net = network(external="../secret")
    else:
        attribute = field(5, outside) if place == "in a node" else field(6, field(5, outside))
        constant = field(1, field(2, "x") + field(4, "Constant") + field(5, field(1, "value") + attribute))
        graph = constant + field(2, "network")
        net = field(1, 8) + field(7, graph) + field(8, field(2, 19))
    file = write_onnx(tmp_path / "net.onnx", net)
    with pytest.raises(ModelError, match="its weights lie in other files"):
        intarsia.load(file)
    with pytest.raises(ModelError, match="its weights lie in other files"):
        onnxfile.tensors(file)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (network(operator="RunThisProgram"), "ONNX Runtime cannot open it"),
        (network(np.zeros((2, 5, 1, 1), np.float32)), "ONNX Runtime cannot (open|compute) it"),
    ],
    ids=["unknown operator", "weights of another shape"],
)
def test_networks_that_do_not_work_are_one_error(tmp_path: Path, net: bytes, message: str) -> None:
    file = write_onnx(tmp_path / "net.onnx", net)
    with pytest.raises(ModelError, match=message):
        OnnxRuntime(file, 2).logits(np.zeros((1, 3, 8, 8), np.float32))


def test_what_it_is_for_must_be_told(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    text = Description("threshold", {}, SPACE, PLAIN).to_metadata()
    for told in ({}, {"intarsia.runtime": "{"}, {"intarsia.runtime": '{"stride": 0}'}):
        file.write_bytes(network() + described({"intarsia": text, **told}))
        with pytest.raises(ModelError, match="does not tell how its network is to be used; export it again"):
            Exported.load(file)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2000), st.integers(0, 255), st.booleans())
def test_damage_is_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, cut: bool) -> None:
    """Whatever bytes are changed or lost, reading ends with a value or with a ModelError."""
    file = write_onnx(tmp_path_factory.mktemp("damaged") / "net.onnx")
    content = bytearray(file.read_bytes())
    place %= len(content)
    content[place] = byte
    file.write_bytes(content[: place + 1] if cut else content)
    for read in (Description.load, Exported.load, onnxfile.tensors):
        try:
            read(file)
        except ModelError as error:
            assert str(file) in str(error)
