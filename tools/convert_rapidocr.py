"""Make the bundle `handwriting` from PP-OCRv6's small text detector, as the PyPI package `rapidocr` carries it.

    pip download rapidocr==3.10.0 --no-deps -d wheels
    python tools/convert_rapidocr.py wheels/rapidocr-3.10.0-py3-none-any.whl

Needs the extra `export` (for the package onnx). What is changed: the first layer takes red, green and blue in this
order instead of blue, green and red; sides that are no multiples of 32 are filled up by their last pixels, and what was
found there is cut off; and in place of the probability p of text come two logits, 0 and ln(p / (1 - p)), whose softmax
is (1 - p, p). Weights keep their 32 bits: in sixteen, probabilities would differ by up to 0.02.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from intarsia.bundle import METADATA_KEY, Description, Exported
from intarsia.bundle.exported import EXPORTED_KEY
from intarsia.errors import ModelError
from intarsia.exporting.writing import write_onnx
from intarsia.labels import LabelSpace
from intarsia.preprocessing import Preprocessing
from intarsia.reports.card import model_card

MEMBER = "rapidocr/models/PP-OCRv6_det_small.onnx"
SHA256 = "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"
TARGET = Path(__file__).parents[1] / "intarsia" / "zoo" / "handwriting.onnx"
MOST_CHANGED = 1e-4  # of a probability; sums are rounded in another order
SIZES = ((480, 352), (320, 640), (96, 96), (736, 544))  # that the original takes, too
CARD = {
    "data": "Trained by the PaddleOCR project for PP-OCRv6 on pictures of printed and written text in many languages; "
    "what exactly is not published. Nothing was trained for this bundle.",
    "license": "Apache-2.0, copyright Baidu and the PaddleOCR authors",
    "notice": "The weights are those of PP-OCRv6_small_det, and the file around them was changed, see Changes. Naming "
    "their origin implies no endorsement by its owners.",
    "limits": "It finds text, and does not read it. Stamps, clerks' notes and printed forms are text, too. Lines of "
    "less than about 8 pixels at the working size, text that stands upright, and rubbed-out ink are missed; `intarsia "
    "handwriting` counts the ink that is in no line. Measured on French hands of the 13th to the 20th century only.",
    "origin": f"`{MEMBER}` in the wheel of `rapidocr` 3.10.0 on PyPI, SHA-256 `{SHA256}`; upstream: "
    "PP-OCRv6_small_det of PaddleOCR (github.com/PaddlePaddle/PaddleOCR).",
    "changes": "The first layer takes red, green, blue instead of blue, green, red. Sides that are no multiples of 32 "
    "are filled up within the network. Two logits whose softmax is the original's probability stand in its place. "
    "Weights are unchanged. Made by `tools/convert_rapidocr.py`.",
}


def origin(wheel: Path) -> bytes:
    """Read the network from the wheel, and make sure that it is this very one."""
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(MEMBER)
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{wheel}: {MEMBER} has the SHA-256 {found}, not {SHA256}; download rapidocr 3.10.0")
    return data


def convert(network: ModelProto) -> ModelProto:
    """Change what this file's first lines say."""
    made = ModelProto()
    made.CopyFrom(network)
    graph = made.graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = _of_initializers(graph.node, values)
    first = next(node for node in graph.node if node.op_type == "Conv")
    values[weights[first.input[1]]] = values[weights[first.input[1]]][:, ::-1]
    last = [node for node in graph.node if node.op_type == "ConvTranspose"][-1]
    kernel, bias = weights[last.input[1]], _bias_after(graph.node, last, weights)
    values[kernel] = np.concatenate([np.zeros_like(values[kernel]), values[kernel]], axis=1)
    values[bias] = np.concatenate([np.zeros_like(values[bias]), values[bias]], axis=1)

    del graph.initializer[:]
    graph.initializer.extend(numpy_helper.from_array(np.ascontiguousarray(v), name) for name, v in values.items())
    nodes = [node for node in graph.node if not (node.op_type == "Sigmoid" and node.output[0] == graph.output[0].name)]
    before, after = _for_any_size(graph, nodes[0], nodes[-1])
    del graph.node[:]
    graph.node.extend([*before, *nodes, after])
    del graph.output[:], graph.input[:], graph.value_info[:]
    graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, "H", "W"]))
    graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 2, "H", "W"]))
    onnx.checker.check_model(made)
    return made


def _for_any_size(graph: onnx.GraphProto, first: NodeProto, last: NodeProto) -> tuple[list[NodeProto], NodeProto]:
    """What fills the input up to multiples of 32 below and on the right, and what cuts the logits to its size."""
    constants = {"first_side": [2], "after_sides": [4], "multiple": [32], "no_fill": [0] * 6, "zeros": [0, 0],
                 "sides": [2, 3]}  # fmt: skip
    graph.initializer.extend(
        numpy_helper.from_array(np.array(values, np.int64), name) for name, values in constants.items()
    )
    first.input[0] = "filled"
    before = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "first_side", "after_sides"], ["size"]),
        helper.make_node("Neg", ["size"], ["negative_size"]),
        helper.make_node("Mod", ["negative_size", "multiple"], ["fill"]),
        helper.make_node("Concat", ["no_fill", "fill"], ["fills"], axis=0),
        helper.make_node("Pad", ["x", "fills"], ["filled"], mode="edge"),
    ]
    return before, helper.make_node("Slice", [last.output[0], "zeros", "size", "sides"], ["logits"])


def _of_initializers(nodes: list[NodeProto], values: dict[str, NDArray[np.float32]]) -> dict[str, str]:
    """From the name that a layer uses to the stored tensor that it is: the original renames them by Identity."""
    found = {name: name for name in values}
    for node in nodes:
        if node.op_type == "Identity" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return found


def _bias_after(nodes: list[NodeProto], layer: NodeProto, weights: dict[str, str]) -> str:
    """The stored bias that is added to what a layer gives."""
    passed = {layer.output[0]}
    for node in nodes:
        if node.op_type == "Identity" and node.input[0] in passed:
            passed.add(node.output[0])
        if node.op_type == "Add" and passed & set(node.input):
            return next(weights[name] for name in node.input if name in weights)
    raise SystemExit("the network's last layer has no bias; is it another network?")


def gflop_per_megapixel(network: ModelProto) -> float:
    """Count the operations of the convolutions, two a multiply-accumulate, for a million pixels."""
    side = 512
    fixed = ModelProto()
    fixed.CopyFrom(network)
    for dim, value in zip(fixed.graph.input[0].type.tensor_type.shape.dim, (1, 3, side, side), strict=True):
        dim.dim_value = value
    inferred = onnx.shape_inference.infer_shapes(fixed, data_prop=True)
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in [*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output]
    } | {tensor.name: list(tensor.dims) for tensor in inferred.graph.initializer}
    total = 0.0
    for node in inferred.graph.node:
        if node.op_type in ("Conv", "ConvTranspose"):
            kernel = shapes[node.input[1]]
            places = shapes[node.output[0] if node.op_type == "Conv" else node.input[0]][2:]
            total += 2 * float(np.prod(kernel)) * float(np.prod(places))
    return total / side**2 / 1e3


def compare(before: bytes, after: ModelProto) -> tuple[float, float]:
    """Largest difference of a probability, and the share of pixels with the same label, on smooth and rough inputs."""
    one, two = (onnxruntime.InferenceSession(data) for data in (before, after.SerializeToString()))
    random = np.random.default_rng(0)
    worst, same, pixels = 0.0, 0, 0
    for height, width in SIZES:
        smooth = np.cumsum(random.normal(0, 0.2, (1, 3, height, width)), axis=3)
        for x in (random.uniform(-1, 1, (1, 3, height, width)), np.sin(smooth)):
            rgb = x.astype(np.float32)
            wanted = one.run(None, {"x": np.ascontiguousarray(rgb[:, ::-1])})[0][0, 0]
            logits = two.run(None, {"x": rgb})[0][0]
            found = 1 / (1 + np.exp(logits[0] - logits[1]))
            worst = max(worst, float(np.abs(found - wanted).max()))
            same += int(np.sum((found > 0.5) == (wanted > 0.5)))
            pixels += wanted.size
    return worst, same / pixels


def main() -> None:
    """Convert, measure, write the bundle and its card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="rapidocr-3.10.0-py3-none-any.whl")
    parser.add_argument("-o", "--out", type=Path, default=TARGET)
    options = parser.parse_args()
    data = origin(options.wheel)
    network = convert(onnx.load_from_string(data))
    worst, agreement = compare(data, network)
    if worst > MOST_CHANGED:
        raise ModelError(f"probabilities differ by {worst:.2g}, more than {MOST_CHANGED:g}; nothing was written")
    half = (0.5, 0.5, 0.5)
    description = Description(
        "pp-ocrv6-det-small", {}, LabelSpace(("background", "text"), ((0, 0, 0), (214, 69, 65))),
        Preprocessing(mean=half, std=half, long_side=960),
        card=CARD | {"changes": f"{CARD['changes']} Probabilities differ from the original's by at most {worst:.1g}."},
    )  # fmt: skip
    exported = Exported(
        stride=1, align_corners=False, margin=0, precision="fp32", origin=f"sha256:{SHA256}", agreement=agreement,
        gflop_per_megapixel=round(gflop_per_megapixel(onnx.load_from_string(data)), 2),
        record={"difference": worst, "compared": 2 * len(SIZES), "file": MEMBER, "package": "rapidocr 3.10.0"},
    )  # fmt: skip
    texts = {METADATA_KEY: description.to_metadata(), EXPORTED_KEY: json.dumps(exported.model_dump(mode="json"))}
    write_onnx(network, texts, options.out)
    card = model_card(Description.load(options.out), name="handwriting")
    options.out.with_suffix(".md").write_text(card, encoding="utf-8")
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB, largest difference {worst:.2g}, {agreement=:.6f}")


if __name__ == "__main__":
    main()
