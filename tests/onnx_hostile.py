"""ONNX files that no model should come of: damaged, foreign, oversized, or with their weights elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from onnx_made import PLAIN, SPACE, described, field, network, node, tensor, write_onnx

from intarsia.bundle import Description

FLOAT, INT64, FLOAT16, TEXT = 1, 7, 10, 8
_WEIGHT = np.stack([np.full((3, 1, 1), -1 / 3, np.float32), np.full((3, 1, 1), 1 / 3, np.float32)])
_WEIGHTS = [tensor("head.weight", _WEIGHT), tensor("head.bias", np.array([0.5, -0.5], np.float32))]
_CONVOLUTION = node("Conv", ["image", "head.weight", "head.bias"], "logits")
_IMAGE, _LOGITS = ("image", ("n", 3, "h", "w"), FLOAT), ("logits", ("n", 2, "y", "x"), FLOAT)
_OUTSIDE = tensor("head.weight", _WEIGHT, external="../secret.bin")
Port = tuple[str, Sequence[int | str], int]


def _port(name: str, sides: Sequence[int | str], kind: int) -> bytes:
    shape = b"".join(field(1, field(2 if isinstance(side, str) else 1, side)) for side in sides)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def _net(
    nodes: Sequence[bytes] = (_CONVOLUTION,),
    weights: Sequence[bytes] = tuple(_WEIGHTS),
    *,
    inputs: Sequence[Port] = (_IMAGE,),
    outputs: Sequence[Port] = (_LOGITS,),
    graph: bytes = b"",
    version: int = 8,
    operators: int = 19,
) -> bytes:
    """A ModelProto whose convolution of 1x1 is at stride 1."""
    parts = [field(1, one) for one in nodes] + [field(2, "network")] + [field(5, one) for one in weights]
    parts += [field(11, _port(*one)) for one in inputs] + [field(12, _port(*one)) for one in outputs]
    return field(1, version) + field(7, b"".join(parts) + graph) + field(8, field(1, "") + field(2, operators))


def _sparse() -> bytes:
    """A sparse tensor whose values lie elsewhere."""
    places = tensor("places", np.zeros(2, np.int64))
    return field(1, _OUTSIDE) + field(2, places) + b"".join(field(3, side) for side in _WEIGHT.shape)


def _cast(to: int) -> bytes:
    """Logits of another type."""
    found = node("Conv", ["image", "head.weight", "head.bias"], "floats")
    return _net([found, node("Cast", ["floats"], "logits", to=to)], outputs=[("logits", _LOGITS[1], to)])


def _nested(depth: int) -> bytes:
    graph = b""
    for _ in range(depth):
        graph = field(1, field(4, "If") + field(5, field(1, "then_branch") + field(6, graph)))
    return field(1, 8) + field(7, graph) + field(8, field(2, 19))


def _big() -> bytes:
    sides = b"".join(field(1, side) for side in (1 << 40, 3, 1, 1))
    return sides + field(2, FLOAT) + field(8, "head.weight")


def _function(part: int, content: bytes) -> bytes:
    return _net() + field(25, field(1, "unused") + field(10, "some.domain") + field(part, content))


_CONSTANT = field(1, "value") + field(5, _OUTSIDE)
OUTSIDE = "its weights lie in other files"
DAMAGED = "no ONNX file, or a truncated or damaged one"
OPENED = "ONNX Runtime cannot open it: "

NETWORKS: dict[str, tuple[bytes, str]] = {
    "weights beside it": (network(external="weights.bin"), OUTSIDE),
    "weights above it": (network(external="../secret.bin"), OUTSIDE),
    "weights by an absolute path": (network(external="/etc/hostname"), OUTSIDE),
    "weights behind a link": (network(external="link.bin"), OUTSIDE),
    "sparse weights elsewhere": (_net(weights=_WEIGHTS[1:], graph=field(15, _sparse())), OUTSIDE),
    "a sparse constant elsewhere": (
        _net([field(2, "c") + field(4, "Constant") + field(5, field(22, _sparse())), _CONVOLUTION]), OUTSIDE,
    ),
    "a function's default elsewhere": (_function(11, _CONSTANT), OUTSIDE),
    "a function's constant elsewhere": (_function(7, field(4, "Constant") + field(5, _CONSTANT)), OUTSIDE),
    "training's weights elsewhere": (_net() + field(20, field(2, field(5, _OUTSIDE))), OUTSIDE),
    "two graphs": (_net() + _net(), DAMAGED),
    "graphs within graphs": (_nested(200), DAMAGED),
    "a size of terabytes": (_net(weights=[_big(), _WEIGHTS[1]]), OPENED),
    "less data than its size": (
        _net(weights=[b"".join(field(1, side) for side in (2, 3, 1, 1)) + field(2, 1) + field(8, "head.weight") +
                      field(9, bytes(8)), _WEIGHTS[1]]), OPENED,
    ),
    "operators of version 99": (_net(operators=99), OPENED + "ONNX Runtime only"),
    "a form of version 99": (_net(version=99), OPENED + "Unsupported model IR version: 99"),
    "an operator of somebody's": (_net([_CONVOLUTION + field(7, "some.domain")]), OPENED),
    "an operator that is none": (_net([node("RunThisProgram", ["image"], "logits")]), OPENED + "This is an invalid"),
    "a circle": (_net([node("Add", ["image", "b"], "a"), node("Add", ["a", "image"], "b"), _CONVOLUTION]), OPENED),
    "a missing input": (_net([node("Conv", ["nowhere", "head.weight", "head.bias"], "logits")]), OPENED),
    "two inputs": (_net(inputs=[_IMAGE, ("other", _IMAGE[1], FLOAT)]), "its network takes 2 inputs, not one"),
    "two outputs": (_net(outputs=[_LOGITS, ("head.bias", (2,), FLOAT)]), "its network is none of pictures"),
    "matrices": (
        _net([node("Identity", ["image"], "logits")], inputs=[("image", ("n", 3), FLOAT)],
             outputs=[("logits", ("n", 2), FLOAT)]), "its network is none of pictures",
    ),
    "points, described as pictures": (
        _net(weights=[tensor("head.weight", _WEIGHT[..., 0]), _WEIGHTS[1]], inputs=[("image", ("n", 3, "p"), FLOAT)],
             outputs=[("logits", ("n", 2, "p"), FLOAT)]), "its network and its description are of two kinds",
    ),
    "whole numbers": (
        _net([node("Cast", ["image"], "f", to=FLOAT), node("Conv", ["f", "head.weight", "head.bias"], "logits")],
             inputs=[("image", _IMAGE[1], INT64)]), r"image of its network is a tensor\(int64\), not float32",
    ),
    "halves": (_cast(FLOAT16), r"logits of its network is a tensor\(float16\), not float32"),
    "texts": (_cast(TEXT), r"logits of its network is a tensor\(string\), not float32"),
    "one size only": (
        _net(inputs=[("image", (1, 3, 8, 12), FLOAT)], outputs=[("logits", (1, 2, 8, 12), FLOAT)]),
        "its network takes 12x8 alone, and its description tells no sizes",
    ),
    "another stride": (network(stride=4), "its network gives 8x5 cells for 32x20 pixels, not the 32x20 of its stride"),
    "other classes": (network(classes=3), "its network gives 3 classes, and its description names 2"),
    "weights that are no numbers": (network(np.full((2, 3, 1, 1), np.nan, np.float32), stride=1), "are not numbers"),
    "infinite weights": (network(np.full((2, 3, 1, 1), np.inf, np.float32), stride=1), "are not numbers"),
}  # fmt: skip
"""Networks with a good description at stride 1, and what is said of each."""
COMPUTED = {"points, described as pictures", "another stride", "weights that are no numbers", "infinite weights"}
"""Those of which that is said once they have computed a picture."""


def _plain() -> bytes:
    return network(stride=1) + described({"intarsia": Description("threshold", {}, SPACE, PLAIN).to_metadata()})


FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "the file is empty"),
    "half": (lambda: _plain()[: len(_plain()) // 2], DAMAGED),
    "a page": (lambda: b"<!DOCTYPE html><html>404</html>", DAMAGED),
    "a pointer of Git LFS": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", DAMAGED),
    "a pickle": (lambda: b"\x80\x02}q\x00.", DAMAGED),
    "no description": (network, "an ONNX file, but not an Intarsia model"),
    "no use": (_plain, "does not tell how its network is to be used"),
    "a description that never ends": (lambda: network() + described({"intarsia": "[" * 200_000}), "not valid JSON"),
    "a description that is a list": (lambda: network() + described({"intarsia": "[1]"}), "not valid at the whole"),
}
"""Whole files, and what is said of each."""


def hostile_folder(above: Path) -> Path:
    """Make a folder whose neighbour holds what is not to be read, and numbers that could be taken for weights."""
    folder = above / "models"
    folder.mkdir()
    (above / "secret.bin").write_bytes(bytes(24))
    (folder / "weights.bin").write_bytes(bytes(24))
    (folder / "link.bin").symlink_to("../secret.bin")
    return folder


def write_hostile(name: str, folder: Path) -> tuple[Path, str]:
    """Write one of them, and say what a message about it begins with after the file's name."""
    file = folder / "net.onnx"
    if name in FILES:
        make, said = FILES[name]
        file.write_bytes(make())
    else:
        net, said = NETWORKS[name]
        write_onnx(file, net, stride=1)
    return file, said
