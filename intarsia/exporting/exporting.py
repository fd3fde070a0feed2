"""From a bundle to a file of another runtime, measured before it counts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import onnx

from intarsia.bundle import METADATA_KEY, Bundle, Description, Exported
from intarsia.bundle.exported import EXPORTED_KEY
from intarsia.datasets import Split
from intarsia.errors import ModelError, UsageError, counted, require
from intarsia.evaluation.scoring import unmatched_classes
from intarsia.exporting.comparing import compare, random_blocks, random_inputs
from intarsia.exporting.folding import fold_norms
from intarsia.exporting.graph import OPSET, require_exportable, to_onnx
from intarsia.exporting.naming import number_names
from intarsia.exporting.quantising import Quantised, quantise
from intarsia.exporting.seen import MOST, Like, Seen, checksum, hashes, points
from intarsia.exporting.telling import Stage, Teller, Told
from intarsia.exporting.writing import halved, write_onnx, write_openvino
from intarsia.models import SegmentationModel
from intarsia.models.restore import restore
from intarsia.runtimes.contract import Floats, Runtime
from intarsia.runtimes.exported import gflop_per_megapixel
from intarsia.runtimes.onnx import OnnxRuntime
from intarsia.runtimes.openvino import OpenVinoRuntime, core, has_bf16
from intarsia.runtimes.processor import feature
from intarsia.runtimes.torch import TorchRuntime

SAME = 0.9999
"""Share of labels in which a network in float32 has to agree with the one that it was made from."""
_COMPARED = 10  # labelled items, besides random inputs
_RANKED = 6  # inputs on which it is measured what each layer's eight bits cost: the most of an export's time

Write = Callable[[Mapping[str, str], Path], None]


@dataclass(frozen=True)
class Export:
    """What was written, and what was measured before.

    Attributes:
        file: the exported network.
        exported: what the file tells of it, its record included.
        notes: sentences for people: what was decided otherwise than asked for, and why.
    """

    file: Path
    exported: Exported
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {"file": str(self.file), **self.exported.model_dump(mode="json"), "notes": list(self.notes)}


@dataclass
class Exporter:
    """One bundle on its way into one file; see `export`."""

    bundle: Description
    file: Path
    max_drop: float
    stage: Stage
    calibration: Split | None = None
    verification: Split | None = None
    translate: Callable[[SegmentationModel, int], onnx.ModelProto] = to_onnx
    notes: list[str] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    sizes: tuple[tuple[int, int], ...] | None = None

    def run(self, precision: str) -> Export:
        """Translate, measure and write.

        Raises:
            UsageError: networks of points are not written for OpenVINO.
            ModelError: the network cannot be translated, or what was made of it is not as right as it has to be.
        """
        if self.bundle.preprocessing.blocks is not None and self.file.suffix.lower() != ".onnx":
            raise UsageError(
                f"{self.file}: networks of points are exported for ONNX Runtime alone: "
                f"-o {self.file.with_suffix('.onnx')}"
            )
        self.original, network = self._opened_original()
        self.record = {
            "opset": OPSET, "processor": f"cpu {feature()}",
            "versions": {name: str(require(name, "export").__version__) for name in ("torch", "onnx")},
        }  # fmt: skip
        self._note_data()
        with tempfile.TemporaryDirectory() as folder:
            self.draft = Path(folder) / f"network{self.file.suffix.lower()}"
            write, exported = self._finish(network, precision)
        write(self._texts(exported), self.file)
        return Export(self.file, exported, tuple(self.notes))

    def _opened_original(self) -> tuple[Runtime, onnx.ModelProto]:
        """What the file is compared with, and its network translated; a converted one is an ONNX network already."""
        self.stage("translating the network")
        if self.bundle.is_converted:
            file = Path(self.bundle.source)
            self.sizes = Exported.load(file).sizes
            return OnnxRuntime(file, len(self.bundle.space)), onnx.load(file)
        model = require_exportable(restore(Bundle.of(self.bundle)), self.bundle.title)
        blocks = self.bundle.preprocessing.blocks
        points = 0 if blocks is None else blocks.points
        return TorchRuntime(model, precision="fp32", device="cpu"), self.translate(model, points)

    def _random_inputs(self, channels: int) -> list[Floats]:
        blocks = self.bundle.preprocessing.blocks
        return random_inputs(channels, self.sizes) if blocks is None else random_blocks(channels, *blocks)

    def _note_data(self) -> None:
        """Keep apart what is calibrated and what is verified on, and tell both in the record."""
        if self.calibration is not None:
            chosen = hashes(self.calibration, Seen(self.bundle, self.calibration, self.original).chosen)
            self.record["calibration"] = {"items": len(chosen), "sha256": checksum(chosen)}
        if self.verification is not None:
            kept = hashes(self.verification, range(len(self.verification)))
            self.record["verification"] = {"items": len(kept), "sha256": checksum(kept)}
            unknown = unmatched_classes(self.bundle.space, self.verification.space)
            if unknown:
                self.notes.append(
                    f"The model does not know {', '.join(unknown)}: what the data call so is not measured. Name their "
                    "classes in the model's words (--remap, or classes.txt)."
                )
            both = len(set(chosen) & set(kept)) if self.calibration is not None else 0
            if both:
                raise UsageError(
                    f"{counted(both, 'item')} of the data to verify on would be calibrated on too, and flatter the "
                    "result; give --verify other data than --calibrate"
                )

    def _finish(self, network: onnx.ModelProto, precision: str) -> tuple[Write, Exported]:
        """Make the network in the precision asked for, or in one that loses no more than it may."""
        rounded = precision == "fp16"
        if self.file.suffix.lower() == ".onnx":
            made = halved(network, rounded=rounded)
            return self._measured(lambda texts, file: write_onnx(made, texts, file), precision)
        stored = halved(network, rounded=True) if rounded else network
        graph = core().read_model(stored.SerializeToString())

        def plain(texts: Mapping[str, str], file: Path) -> None:
            write_openvino(graph, texts, file)

        if precision != "int8":
            return self._measured(plain, precision)
        quantised = self._quantised(number_names(core().read_model(fold_norms(network).SerializeToString())), plain)
        if quantised is not None:
            model = quantised.model
            return self._measured(lambda texts, file: write_openvino(model, texts, file), "int8")
        return self._measured(plain, "bf16" if has_bf16() else "fp32")

    def _quantised(self, graph: Any, plain: Write) -> Quantised | None:
        """The network in eight bits; None, and a note, if it cannot be had at this price."""
        assert self.calibration is not None and self.verification is not None
        self._compared(plain, "fp32")  # the translation itself is right
        split = self.verification
        self.stage("quantising, and measuring what it costs")
        seen = Seen(self.bundle, self.calibration, self.original)
        made = quantise(
            graph,
            Told(seen, min(len(seen.chosen), MOST), "calibrating, input", self.stage),
            list(islice(replace(seen, most=_RANKED), _RANKED)),
            lambda network: points(self.bundle, Like(self.original, network), split, self._told("measuring, item")),
            self.max_drop,
            self.stage,
        )
        floats, whole, last = made.scores
        drops = {"all_layers": round(floats - whole, 3), "kept_layers": round(floats - last, 3)}
        self.record["int8"] = {
            "layers": len(made.layers), "given_back": list(made.given_back), "drop": drops, "max_drop": self.max_drop,
        }  # fmt: skip
        if made.given_back:
            self.notes.append(
                f"In int8 all layers cost {drops['all_layers']:.2f} points of mIoU. Given back to floats, which leaves "
                f"a cost of {drops['kept_layers']:.2f}: {', '.join(made.given_back)}."
            )
        if made.layers and floats - last <= self.max_drop:
            return made
        instead = "bf16" if has_bf16() else "fp32"
        self.notes.append(
            f"int8 costs more than {self.max_drop:g} points of mIoU whichever layers are given back, so that this file "
            f"is in {instead}."
        )
        return None

    def _measured(self, write: Write, precision: str) -> tuple[Write, Exported]:
        """Compare a draft, and measure what it costs."""
        exported, runtime = self._compared(write, precision)
        record = exported.record | self._gated(runtime, precision)
        return write, exported.model_copy(update={"record": record})

    def _compared(self, write: Write, precision: str) -> tuple[Exported, Runtime]:
        """Write a draft, and compare it with the network it was made from.

        Raises:
            ModelError: its labels are others, though it computes in float32.
        """
        self.stage(f"comparing in {precision}")
        exported = Exported(
            stride=self.original.stride, align_corners=self.original.align_corners, margin=self.original.margin,
            precision=precision, sizes=self.sizes, origin=self.bundle.checksum(), agreement=0.0,
            gflop_per_megapixel=gflop_per_megapixel(self.bundle),
        )  # fmt: skip
        write(self._texts(exported), self.draft)
        runtime = self._opened()
        if precision == "bf16" and runtime.precision != "bf16":
            self.notes.append(
                "This processor does not compute in bfloat16: what is measured here is fp32. The file computes in "
                "bfloat16 where the processor does."
            )
        inputs = self._random_inputs(runtime.in_channels)
        if self.verification is not None:
            inputs += Seen(self.bundle, self.verification, self.original, most=_COMPARED)
        found = compare(runtime, self.original, inputs, len(self.bundle.space))
        if precision == "fp32" and found.agreement < SAME:
            raise ModelError(
                f"{self.bundle.title}: {runtime.name} does not compute the same: {100 * found.agreement:.3f} % of the "
                f"labels agree, logits differ by up to {found.difference:.3g}; nothing was written. This is a defect "
                "of the translation; please report the architecture and its options"
            )
        record = {
            **self.record, "difference": found.difference, "compared": found.inputs,
            "measured": {"runtime": runtime.name, "precision": runtime.precision},
        }  # fmt: skip
        return exported.model_copy(update={"agreement": found.agreement, "record": record}), runtime

    def _gated(self, runtime: Runtime, precision: str) -> dict[str, Any]:
        """What the labels lose on data that nothing was calibrated on.

        Raises:
            ModelError: more than they may.
        """
        if self.verification is None:
            return {}
        self.stage(f"measuring {precision} on {counted(len(self.verification), 'labelled item')}")
        wanted = self._wanted
        found = points(self.bundle, runtime, self.verification, self._told("measuring, item"))
        drop = wanted - found
        if not drop <= self.max_drop:
            raise ModelError(
                f"{self.bundle.title}: {precision} costs {drop:.2f} points of mIoU ({wanted:.2f} to {found:.2f}), more "
                f"than {self.max_drop:g} (--max-drop); nothing was written"
            )
        miou = {"original": round(wanted, 3), "exported": round(found, 3), "drop": round(drop, 3)}
        return {"verification": self.record["verification"] | {"miou": miou}}

    @cached_property
    def _wanted(self) -> float:
        """What the network itself reaches on the data to verify on."""
        assert self.verification is not None
        return points(self.bundle, self.original, self.verification, self._told("measuring the original, item"))

    def _told(self, what: str) -> Teller:
        return Teller(what, self.stage)

    def _opened(self) -> Runtime:
        classes = len(self.bundle.space)
        if self.draft.suffix == ".onnx":
            return OnnxRuntime(self.draft, classes)
        return OpenVinoRuntime(self.draft, classes)

    def _texts(self, exported: Exported) -> dict[str, str]:
        return {
            METADATA_KEY: self.bundle.to_metadata(),
            EXPORTED_KEY: json.dumps(exported.model_dump(mode="json"), allow_nan=False),
        }
