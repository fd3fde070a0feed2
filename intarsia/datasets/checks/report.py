"""What an integrity check found, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from intarsia.datasets.coding import percent
from intarsia.datasets.counts import ClassCounts
from intarsia.labels import LabelSpace

Severity = Literal["error", "warning"]

_SHOWN_FILES = 3
_SHOWN_VALUES = 16


@dataclass(frozen=True)
class Problem:
    """One finding: how bad, what kind, which file (relative to the data set; "" for the whole), the details."""

    severity: Severity
    kind: str
    file: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """Plain JSON form."""
        return {"severity": self.severity, "kind": self.kind, "file": self.file, "detail": self.detail}


@dataclass
class Report:
    """The result of `Dataset.check` on pictures, rasters and volumes.

    Args:
        root: the data set's folder.
        layout: its layout.
        space: its classes.
        notes: what was decided automatically when it was opened.
        counts: class counts per split.
        problems: all findings.
        values: pixels per stored mask value, over all splits (empty for colour-coded masks).
        kinds: masks per kind: "index", "binary 0/255", "gray shades", "colour-coded", "outlines"; and "JPEG".
        sizes: images per (width, height).
    """

    root: Path
    layout: str
    space: LabelSpace
    notes: tuple[str, ...]
    counts: dict[str, ClassCounts]
    problems: list[Problem] = field(default_factory=list)
    values: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)

    thing: ClassVar[str] = "image"
    labels: ClassVar[str] = "mask"
    unit: ClassVar[str] = "pixel"

    @property
    def errors(self) -> list[Problem]:
        """Findings that training cannot work with."""
        return [problem for problem in self.problems if problem.severity == "error"]

    @property
    def warnings(self) -> list[Problem]:
        """Findings that make results worse or untrue."""
        return [problem for problem in self.problems if problem.severity == "warning"]

    @property
    def weights_from(self) -> ClassCounts:
        """The counts that class weights are suggested from: train, or the only split."""
        return self.counts.get("train") or next(iter(self.counts.values()))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        source = self.weights_from
        return {
            "root": str(self.root),
            "layout": self.layout,
            "label_space": self.space.to_json(),
            "notes": list(self.notes),
            "errors": [problem.to_json() for problem in self.errors],
            "warnings": [problem.to_json() for problem in self.warnings],
            **self._facts(),
            "splits": {name: counts.to_json(self.thing, self.unit) for name, counts in self.counts.items()},
            "suggested_weights": {
                "median_frequency": [round(float(w), 4) for w in source.median_frequency_weights()],
                "sqrt_median_frequency": [round(float(w), 4) for w in source.median_frequency_weights(0.5)],
            },
        }

    def to_text(self) -> str:
        """The report for people, findings of one kind together."""
        images = ", ".join(f"{name} {counts.counted}" for name, counts in self.counts.items())
        lines = [f"{self.root}: layout {self.layout}, usable {self.labels}s: {images}"]
        lines += [f"  {note}" for note in self.notes]
        lines += ["", *self._facts_text(), *self._values_text(), "", *self._classes_text(), ""]
        for title, problems in (("Errors", self.errors), ("Warnings", self.warnings)):
            lines += [f"{title}: {len(problems) or 'none'}", *_grouped(problems)]
        return "\n".join(lines)

    def _facts(self) -> dict[str, Any]:
        return {
            "mask_kinds": dict(self.kinds),
            "mask_values": {str(value): self.values[value] for value in sorted(self.values)},
            "sizes": [{"width": w, "height": h, "images": n} for (w, h), n in self.sizes.most_common()],
        }

    def _facts_text(self) -> list[str]:
        kinds = [f"{count} {kind}" for kind, count in self.kinds.most_common()]
        return [f"Image sizes: {self._sizes_text()}", f"Masks: {', '.join(kinds) or 'none'}"]

    def _sizes_text(self) -> str:
        if not self.sizes:
            return "none could be read"
        common = [f"{w}x{h} ({n})" for (w, h), n in self.sizes.most_common(4)]
        more = f" and {len(self.sizes) - 4} other sizes" if len(self.sizes) > 4 else ""
        return ", ".join(common) + more

    def _values_text(self) -> list[str]:
        if not self.values:
            return []
        total = sum(self.values.values())
        if len(self.values) > _SHOWN_VALUES:
            common = sorted(value for value, _ in self.values.most_common(_SHOWN_VALUES))
            rest = f", and {len(self.values) - _SHOWN_VALUES} other values"
        else:
            common, rest = sorted(self.values), ""
        return ["Stored values: " + ", ".join(f"{v} {percent(self.values[v], total)}" for v in common) + rest]

    def _classes_text(self) -> list[str]:
        source = self.weights_from
        weights, gentle = source.median_frequency_weights(), source.median_frequency_weights(0.5)
        width = max(len("not labelled"), *(len(name) for name in self.space.names))
        header = "".join(f"{name:>9}" for name in self.counts) + f"{self.thing + 's':>9}   weight   sqrt"
        lines = [f"{'class':{width}}{header}"]
        images = np.sum([counts.images for counts in self.counts.values()], axis=0)
        for index, name in enumerate(self.space.names):
            shares = "".join(f"{100 * counts.shares[index]:8.2f}%" for counts in self.counts.values())
            lines.append(f"{name:{width}}{shares}{images[index]:9d}{weights[index]:9.3f}{gentle[index]:7.3f}")
        ignored = "".join(f"{100 * counts.ignored_share:8.2f}%" for counts in self.counts.values())
        return [*lines, f"{'not labelled':{width}}{ignored}   (of all {self.unit}s)"]


@dataclass
class CloudReport(Report):
    """The result of `Dataset.check` on clouds.

    Args:
        points: of each cloud that could be read.
    """

    points: list[int] = field(default_factory=list)

    thing: ClassVar[str] = "cloud"
    labels: ClassVar[str] = "cloud"
    unit: ClassVar[str] = "point"

    def _facts(self) -> dict[str, Any]:
        return {"codes": {str(code): self.values[code] for code in sorted(self.values)}, "points": self.points}

    def _facts_text(self) -> list[str]:
        if not self.points:
            return ["Points: none could be read"]
        return [f"Points: {sum(self.points):,} in all, {min(self.points):,} to {max(self.points):,} in a cloud"]


def _grouped(problems: list[Problem]) -> list[str]:
    groups: dict[str, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(problem.kind, []).append(problem)
    lines = []
    for kind, members in groups.items():
        lines.append(f"  {len(members)} x {kind}")
        for problem in members[:_SHOWN_FILES]:
            lines.append(f"      {problem.file}: {problem.detail}" if problem.file else f"      {problem.detail}")
        if len(members) > _SHOWN_FILES:
            lines.append(f"      ... and {len(members) - _SHOWN_FILES} more (all of them: --json)")
    return lines
