"""ISBI 2012: membranes in electron microscopy, thirty slices in three TIFF stacks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from intarsia.datasets.coding import MaskCoding
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.parts import Page, page_count
from intarsia.datasets.public.entry import Entry, Matched, find, layout, pairs_of
from intarsia.datasets.public.protocol import EvaluationProtocol, Findings
from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix

CELLS = LabelSpace(("membrane", "cell"), ((0, 0, 0), (255, 255, 255)))


def _membranes(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    """Tell pixel error, and F1 of the membranes."""
    scores = matrix.compute()
    values = {"pixel error": 1 - float(scores.pixel_accuracy), "membrane F1": float(scores.f1[space.index("membrane")])}
    note = "the challenge's V(Rand) and V(Info) need its own border thinning (Fiji), and are not told"
    return Findings(values, (), (note,))


PROTOCOL = EvaluationProtocol(
    "isbi-em", "pixel error and F1 of membranes", "Arganda-Carreras et al. 2015", lambda: (CELLS,), _membranes
)

ENTRY = Entry(
    name="isbi-em",
    title="ISBI 2012 EM segmentation challenge",
    about="membranes of neurons, 30 slices of 512x512 from an electron microscope",
    space=lambda: CELLS,
    splits="train 30, test 30 (labels withheld); no official val: a run of slices is set aside",
    ignored="nothing",
    size="30 labelled slices of 512x512 pixels",
    license="for research and education, with attribution",
    citation="Arganda-Carreras et al., Crowdsourcing image segmentation algorithms for connectomics, 2015",
    homepage="https://doi.org/10.3389/fnana.2015.00142",
    steps=(
        "fetch train-volume.tif and train-labels.tif from the challenge that the paper names",
        "intarsia train FOLDER",
    ),
    tree="""train-volume.tif  (30 pages)
train-labels.tif  (30 pages, 0 membrane, 255 cell)
test-volume.tif  (optional)""",
    protocol=PROTOCOL,
)

_STACKS = ("train-volume.tif", "train-labels.tif")


def _read(content: Content) -> PictureReading:
    folder = find(content, "", holding=_STACKS)
    if folder is None:
        raise ENTRY.missing(content, f"it has no {' with '.join(_STACKS)}")
    volume, labels = (folder / name for name in _STACKS)
    slices, masks = page_count(volume), page_count(labels)
    matched: list[Matched] = [
        ("train", f"train/{number:02d}", Page(volume, number), Page(labels, number))
        for number in range(min(slices, masks))
    ]
    notes = ["ISBI 2012 EM: mask value 0 is membrane, 255 cell."]
    if slices != masks:
        notes.append(
            f"{volume.name} has {slices} pages, {labels.name} {masks}; only the first {len(matched)} are used."
        )
    left: list[Path] = []
    return PictureReading(CELLS, MaskCoding(values={0: 0, 255: 1}), pairs_of((matched, left)), tuple(notes))


ENTRIES = (ENTRY,)
LAYOUTS: dict[str, Layout] = {
    "isbi-em": layout(
        ENTRY,
        "ISBI 2012 EM: train-volume.tif, train-labels.tif",
        lambda content: find(content, "", holding=_STACKS) is not None,
        _read,
    ),
}
