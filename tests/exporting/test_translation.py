"""Networks of torch as ONNX graphs: the same logits at every size, on both runtimes, under the same names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from small import small
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.bundle import Exported
from intarsia.errors import ModelError
from intarsia.exporting.comparing import compare, random_inputs
from intarsia.exporting.graph import require_exportable, to_onnx
from intarsia.exporting.writing import halved, write_onnx
from intarsia.models import ImageModel, build
from intarsia.models.image.pan import PyramidAttention
from intarsia.models.layers import PooledNorm, resize
from intarsia.runtimes.onnx import OnnxRuntime
from intarsia.runtimes.openvino import OpenVinoRuntime
from intarsia.runtimes.torch import TorchRuntime


class Traps(ImageModel):
    """What exporters get wrong: sides rounded up and to even, averages of any number, one cell, ties."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=4, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU6(True)
        )
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.Conv2d(6, 6, 1), nn.ReLU(True))
        self.overall = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 6, 1, bias=False), PooledNorm(6))
        self.blocks = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
        self.attention = PyramidAttention(6, 6)  # halves maps down to one cell
        self.head = nn.Conv2d(6, 4, 1)
        with torch.no_grad():
            self.head.weight[3], self.head.bias[3] = self.head.weight[2], self.head.bias[2]  # a tie everywhere
            for norm in (self.stem[1], self.overall[2]):
                norm.running_mean.normal_(), norm.running_var.uniform_(0.5, 2)

    def logits(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        cells = [-(-side // 4) for side in x.shape[2:]]
        rounded = [round((side - 1) * 0.75) + 1 for side in cells]
        remainder = [(3 - side) % 4 + 1 for side in cells]
        small = resize(resize(stem, rounded, align_corners=True), remainder)  # down to one cell, and to any
        blocks = self.blocks(self.blocks(stem))
        parts = (small, self.pooled(stem), self.overall(stem), blocks, self.attention(stem))
        joined = stem + sum(resize(part, stem.shape[2:]) for part in parts)
        out: Tensor = self.head(F.pad(joined, (0, 1, 0, 1)))[:, :, : cells[0], : cells[1]]
        return out


# What need not be translated twice: an encoder, which is that of LR-ASPP here, and a layer that is as the one before.
SHORTER: dict[str, dict[str, Any]] = {"maskformer": {"encoder": "test_plain", "layers": 1}}


def model_of(name: str) -> ImageModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Traps() if name == "traps" else small(name, **SHORTER.get(name, {}))
        return require_exportable(model, name).eval()


@pytest.fixture(scope="module", params=["traps", "lraspp"])
def translated(request: pytest.FixtureRequest) -> tuple[ImageModel, onnx.ModelProto]:
    model = model_of(request.param)
    return model, to_onnx(model)


def written(network: onnx.ModelProto, original: TorchRuntime, file: Path, precision: str = "fp32") -> Path:
    told = Exported(
        stride=original.stride, align_corners=original.align_corners, margin=0, precision=precision, origin="",
        agreement=1,
    )  # fmt: skip
    write_onnx(network, {"intarsia.runtime": told.model_dump_json()}, file)
    return file


@pytest.mark.parametrize("runtime", [OnnxRuntime, OpenVinoRuntime])
def test_every_size_gives_the_same_labels(
    translated: tuple[ImageModel, onnx.ModelProto], tmp_path: Path, runtime: type[OnnxRuntime | OpenVinoRuntime]
) -> None:
    model, network = translated
    original = TorchRuntime(model, precision="fp32", device="cpu")
    classes = int(original.logits(np.zeros((1, 3, 8, 8), np.float32)).shape[1])
    made = runtime(written(network, original, tmp_path / "net.onnx"), classes)
    sizes = [(2, 9), (64, 31), (7, 100), (70, 91)]
    more = [np.random.default_rng(1).normal(0, 1, (2, 3, *size)).astype(np.float32)[:1] for size in sizes]
    found = compare(made, original, [*random_inputs(3), *more], classes)
    assert found.agreement >= 0.9999 and found.difference < 1e-3 and found.inputs == 10


def test_tensors_keep_the_names_of_the_state_dict(translated: tuple[ImageModel, onnx.ModelProto]) -> None:
    model, network = translated
    state = {name: t for name, t in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    held = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in network.graph.initializer}
    assert {name for name in held if "." in name} == set(state)
    assert all(np.array_equal(held[name], tensor) for name, tensor in state.items())
    convolutions = [node for node in network.graph.node if node.op_type == "Conv"]
    assert all(node.input[1] == f"{node.name}.weight" for node in convolutions), "layers are named as in the network"
    text = str(network.graph.node[0]) + str(network.graph.input) + str(network.graph.output)
    assert "metadata_props" not in text and "doc_string" not in text, "nothing tells of where it was made"


def test_weights_in_half_the_bytes(translated: tuple[ImageModel, onnx.ModelProto], tmp_path: Path) -> None:
    model, network = translated
    original = TorchRuntime(model, precision="fp32", device="cpu")
    classes = int(original.logits(np.zeros((1, 3, 8, 8), np.float32)).shape[1])
    made = halved(network, rounded=True)
    kinds = {len(t.dims) >= 2: t.data_type for t in made.graph.initializer if "." in t.name}
    assert kinds == {True: onnx.TensorProto.FLOAT16, False: onnx.TensorProto.FLOAT}
    file = written(made, original, tmp_path / "net.onnx", "fp16")
    for runtime in (OnnxRuntime(file, classes), OpenVinoRuntime(file, classes)):
        found = compare(runtime, original, random_inputs(3), classes)
        assert 0 < found.difference < 0.02 and found.agreement > 0.98 and runtime.precision == "fp16"
    again = halved(made, rounded=False)
    assert again == made, "what is stored so already stays"
    plain = halved(network, rounded=False)
    assert {t.data_type for t in plain.graph.initializer if "." in t.name} == {onnx.TensorProto.FLOAT}
    weight = next(t for t in network.graph.initializer if len(t.dims) == 4)
    large = onnx.ModelProto.FromString(network.SerializeToString())
    tensor = next(t for t in large.graph.initializer if t.name == weight.name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * 1e9, weight.name))
    with pytest.raises(ModelError, match=f"{weight.name} has values that float16 cannot hold; export it in fp32"):
        halved(large, rounded=True)


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(
        ModelError, match=r"net cannot be exported: .*no network; it needs no export.*Networks of pictures"
    ):
        require_exportable(build("kmeans", classes=3), "net")


@pytest.mark.parametrize("name", ["eomt", "maskformer", "segnext"])
def test_networks_of_attention_and_factors_give_the_same_labels(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EoMT's learned positions are resampled: by ONNX's own operator, OpenVINO's logits were off by 0.07."""
    monkeypatch.setattr("intarsia.models.image.segnext._PREDICTION_STEPS", 3)  # each is traced anew
    model = model_of(name)
    traced, logits = [], type(model).logits
    monkeypatch.setattr(type(model), "logits", lambda self, x: traced.append(x.shape) or logits(self, x))
    network = to_onnx(model)
    if name == "eomt":  # a size that code makes a plain number of is traced again, by a slower way
        assert len(traced) == 1
    original = TorchRuntime(model, precision="fp32", device="cpu")
    classes = int(original.logits(np.zeros((1, 3, 8, 8), np.float32)).shape[1])
    file = written(network, original, tmp_path / "net.onnx")
    for made in (OnnxRuntime(file, classes), OpenVinoRuntime(file, classes, precision="fp32")):
        found = compare(made, original, random_inputs(3), classes)
        assert found.agreement >= 0.9999 and found.difference < 1e-4, made.name
