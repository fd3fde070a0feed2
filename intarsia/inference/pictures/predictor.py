"""GridPredictor: any grid of pixels in, rows of labels at the grid's own size out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intarsia.bundle import Description
from intarsia.errors import ModelError, UsageError
from intarsia.inference.pictures.layout import Layout
from intarsia.inference.pictures.options import (
    check_decision,
    check_runtime,
    check_tiles,
    enough_overlap,
    is_default,
    mirrored_order,
    read_refinement,
)
from intarsia.inference.pictures.ranking import Decision, Histograms, Ranking, known_cells
from intarsia.inference.pictures.refined import refine_rows
from intarsia.inference.pictures.rows import OwnRows, ResizedRows, Rows
from intarsia.inference.pictures.stretches import first_tile
from intarsia.inference.pictures.tiling import final_cells, join_tiles, spans
from intarsia.inference.pictures.views import Views
from intarsia.inference.ready import Ready
from intarsia.labels import LabelArray
from intarsia.media.medium import Form
from intarsia.media.source import PixelSource
from intarsia.preprocessing import Preprocessing, expect
from intarsia.runtimes import AUTO
from intarsia.runtimes.contract import Floats, Precision, Runtime
from intarsia.runtimes.upsampling import Span, Upsampling, decide, softmax
from intarsia.transforms.preprocess import normalise, resize_image, working_size

if TYPE_CHECKING:
    from intarsia.refine import Refinement

# The network sees an image whole up to this working size and this many logits, in tiles above.
WHOLE_PIXELS = 1_500_000
WHOLE_LOGITS = 64_000_000


class GridPredictor(Ready):
    """A model made ready to segment grids of pixels of any size.

    Args:
        bundle: the trained model; with a runtime of your own, its description is enough.
        runtime: what computes: a name (`intarsia.runtimes.RUNTIMES`), or a runtime made ready.
        tile: side in pixels of the tiles that large images are cut into, a multiple of 32; None: 512.
        overlap: pixels that neighbouring tiles share, a multiple of 32, at most half a tile; a model with a margin
            raises it until the tiled prediction is that of the whole image (not mirrored, at its own scale); None: 128,
            or half a smaller tile.
        long_side: working size instead of the bundle's: pixels of the longer side, 0 for each picture's own size.
        bands: of rasters, the bands (from 1) that the network sees instead of the bundle's, as many.
        window: (low, high) stored values of rasters and volumes that become black and white, instead of the bundle's.
        tta: test-time augmentation: average the probabilities of the image and its mirror image.
        scales: average over the image at these scales of its working size as well.
        confidence: also return the winning class's softmax probability.
        refine: what is done to the probabilities before the labels are decided, at the picture's own size: a method
            ("crf", "guided", "bilateral", "regions"), or a mapping of "method" and "options"; "none" for nothing, None
            for what the bundle's recipe says.
        decide: how labels come from probabilities: "argmax", each pixel's likeliest class; or "rankseg", what maximises
            the expected Dice of the classes of each picture, or volume, see `ranking`; not together with `refine`.
        precision: arithmetic of the network; "auto" measures whether bfloat16 is faster here.
        device: where the network computes: "cpu", "cuda", "cuda:1", ...; "auto" takes a GPU if there is one.

    Attributes:
        space: the classes that it predicts.
        preprocessing: what happens to pixels before the network.
        runtime: what computes.
        confidence: whether results come with the winner's probability.
        settings: what besides the weights decides the labels, as plain JSON.
        given: names of the options that differ from their defaults.
        things: what it is for, in words.
        forms: of the media that it segments.

    Raises:
        UsageError: an argument out of range.
        ModelError: the bundle's weights do not fit its model, or its model takes something else than pictures.
    """

    things = "pictures"
    forms: frozenset[Form] = frozenset({"rows", "volume", "frames", "pages"})

    def __init__(
        self,
        bundle: Description,
        *,
        runtime: Runtime | str = AUTO,
        tile: int | None = None,
        overlap: int | None = None,
        long_side: int | None = None,
        bands: Sequence[int] | None = None,
        window: tuple[float, float] | None = None,
        tta: bool = False,
        scales: Sequence[float] = (1.0,),
        confidence: bool = False,
        refine: str | Mapping[str, Any] | None = None,
        decide: Decision = "argmax",
        precision: Precision = "auto",
        device: str = "auto",
    ) -> None:
        options: dict[str, Any] = {
            "tile": tile, "overlap": overlap, "long_side": long_side, "bands": bands, "window": window, "tta": tta,
            "scales": scales, "confidence": confidence, "refine": refine, "decide": decide,
        }  # fmt: skip
        self.given = frozenset(name for name, value in options.items() if not is_default(name, value))
        tile, overlap = check_tiles(tile, overlap)
        if not scales or min(scales) <= 0:
            raise UsageError(f"scales are positive factors, at least one, not {tuple(scales)}")
        refusal = ModelError(f"{bundle.title}: {bundle.architecture} is no model of pictures")
        given = expect(bundle.preprocessing, Preprocessing, refusal)
        self.confidence = confidence
        self.preprocessing = given.changed(long_side=long_side, bands=bands, window=window)
        self._refinement = read_refinement((bundle.recipe or {}).get("refine") if refine is None else refine)
        self._ranks = check_decision(decide, refined=self._refinement is not None)
        self._tile = tile
        super().__init__(bundle, options | {"runtime": runtime, "precision": precision, "device": device})
        check_runtime(bundle, self.runtime, self.preprocessing.channels)
        self._overlap = enough_overlap(bundle, self.runtime, tile, overlap)
        self._views = Views(self.runtime, self.preprocessing, scales, tta, mirrored_order(bundle))
        self.settings = {
            "tile": tile, "overlap": self._overlap, "long_side": self.preprocessing.long_side, "tta": tta,
            "scales": list(scales), "refine": self._refinement and self._refinement.to_json(),
            **({"bands": list(bands)} if bands else {}), **({"window": list(window)} if window else {}),
            **({"decide": decide} if self._ranks else {}),
        }  # fmt: skip

    def working(self, pixels: NDArray[np.uint8]) -> Floats:
        """Prepare a whole picture (H, W, 3) as the network takes it, at its working size: (1, C, h, w)."""
        return normalise(
            resize_image(pixels, *working_size(pixels.shape[0], pixels.shape[1], self.preprocessing)),
            self.preprocessing,
        )

    def rows(
        self,
        reader: PixelSource,
        *,
        probabilities: bool = False,
        ranking: Ranking | None = None,
        stretch: Span | None = None,
    ) -> Iterator[Rows]:
        """Segment one opened picture from top to bottom; memory does not grow with its height.

        Large pictures are tiled. Logits, never labels, are resized to the picture's own size.

        Args:
            reader: the picture.
            probabilities: also give those of all classes.
            ranking: of the whole that the picture is a part of; None: it is a whole.
            stretch: of its rows of tiles, see `extent`; None: all of it.

        Raises:
            DataError: the picture is truncated or corrupt, too wide to be refined, or nothing that the model is for.
        """
        self.preprocessing.check_medium(reader.medium, reader.name)
        for rows in (
            self._decided(reader, probabilities, ranking, stretch)
            if self._refinement is None
            else self._refined(reader, probabilities, self._refinement)
        ):
            holes = reader.holes(rows.top, 0, len(rows.labels), reader.width)
            if holes is not None:
                rows.labels[holes] = self.space.ignore_index
            yield rows

    def extent(self, reader: PixelSource) -> Span | None:
        """Tell what of an opened picture can be shared: its rows of tiles.

        `rows` can segment any stretch of them by itself. Together, stretches give the rows of the whole picture, bit
        for bit; each costs the network one row of tiles, or two, above its own.

        Returns:
            None where the network sees the picture resized, or labels depend on all of it, or on what lies around them
            (refinement, rankseg).
        """
        layout = self.layout(reader.height, reader.width)
        if layout.size != (reader.height, reader.width) or self._ranks or self._refinement is not None:
            return None
        return 0, len(layout.rows)

    def ranking(self, parts: Iterable[PixelSource]) -> Ranking | None:
        """Run the network over all parts of a whole, as slices are of a volume, to learn how it is to be decided.

        Returns:
            What `rows` takes; None if labels are decided by argmax, without having looked at any part.
        """
        if not self._ranks:
            return None
        found = Histograms(len(self.space))
        for reader in parts:
            layout, first = self.layout(reader.height, reader.width, scored=True), 0
            for chunk in self._scores(reader, layout)[1]:
                found.add(chunk, partial(known_cells, reader, layout.cells, first))
                first += chunk.shape[2]
        return found.ranking()

    def _refined(self, reader: PixelSource, probabilities: bool, refinement: Refinement) -> Iterator[Rows]:
        """The rows, their probabilities refined."""
        parts = (
            (rows.top, rows.probabilities, rows.image)
            for rows in self._decided(reader, True, None, None)
            if rows.probabilities is not None
        )
        size = (reader.height, reader.width)
        for top, refined, image in refine_rows(parts, size, len(self.space), refinement):
            labels, _ = decide(refined, self.space.dtype, confidence=False)
            confidence = refined.max(axis=0).astype(np.float16) if self.confidence else None
            yield Rows(top, labels, confidence, image, refined if probabilities else None)

    def _decided(
        self, reader: PixelSource, probabilities: bool, ranking: Ranking | None, stretch: Span | None
    ) -> Iterator[Rows]:
        """The rows without refinement."""
        scored = probabilities or self.confidence or self._ranks
        layout = self.layout(reader.height, reader.width, scored=scored)
        if self._ranks and ranking is None and len(layout.plan) > 1:
            ranking = self.ranking([reader])
        own, end = stretch or (0, len(layout.rows))
        start = first_tile(own, layout.rows, layout.plan, layout.upsampling, self.runtime.stride)
        pixels, chunks = self._scores(reader, layout, (start, end))
        held, first = np.empty(0, dtype=np.float32), layout.rows[start][0] // self.runtime.stride
        for number, bands in enumerate(layout.plan[start:end], start):
            held = np.concatenate([held, next(chunks)], axis=2) if held.size else next(chunks)
            if self._ranks and ranking is None:  # this is the whole picture
                histograms = Histograms(len(self.space))
                histograms.add(held, partial(known_cells, reader, layout.cells, 0))
                ranking = histograms.ranking()
            if number < own:
                pass  # the last of its logits are what the rows below begin with
            elif scored:
                for top, bottom in bands:
                    image = reader.picture(pixels.photo(top, bottom))
                    planes = layout.upsampling.planes(held, first, (top, bottom))
                    labels, confidence, every = self._labels(planes, ranking, probabilities)
                    yield Rows(top, labels, confidence, image, every)
            else:
                found = layout.upsampling.labels_by_band(held, first, bands, self.space.dtype)
                for (top, bottom), labels in zip(bands, found, strict=True):
                    yield Rows(top, labels, None, reader.picture(pixels.photo(top, bottom)))
            keep = layout.upsampling.first_cell(bands[-1][1]) if bands else first
            held, first = held[:, :, keep - first :].copy(), keep

    def _labels(
        self, planes: Iterable[Floats], ranking: Ranking | None, probabilities: bool
    ) -> tuple[LabelArray, NDArray[np.float16] | None, NDArray[np.float32] | None]:
        """Labels, confidence and probabilities of some rows, from their logits class by class."""
        every = None
        if probabilities or ranking is not None:
            planes = np.stack(list(planes))
            every = softmax(planes)
        if ranking is None or every is None:
            return *decide(planes, self.space.dtype, confidence=self.confidence), every
        labels, confidence = decide(ranking.gains(every), self.space.dtype, confidence=False)
        if self.confidence:
            confidence = np.take_along_axis(every, labels[None].astype(np.intp), axis=0)[0].astype(np.float16)
        return labels, confidence, every if probabilities else None

    def layout(
        self, height: int, width: int, *, scored: bool | None = None, tile: int | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> Layout:  # fmt: skip
        """Plan how the network goes over a picture.

        Args:
            height: rows of the picture.
            width: columns of the picture.
            scored: whether more than labels is asked for; None: as the predictor was made.
            tile: another side of tiles than the predictor's, to compare with.
            preprocessing: another one than the predictor's, to compare with.
        """
        size, stride, tile = (height, width), self.runtime.stride, tile or self._tile
        height, width = working_size(*size, preprocessing or self.preprocessing)
        cells = (-(-height // stride), -(-width // stride))
        whole = height * width <= WHOLE_PIXELS and cells[0] * cells[1] * len(self.space) <= WHOLE_LOGITS
        rows = [(0, height)] if whole else spans(height, tile, self._overlap)
        columns = [(0, width)] if whole else spans(width, tile, self._overlap)
        scored = self.confidence or self._ranks or self._refinement is not None if scored is None else scored
        upsampling = Upsampling(cells, size, align_corners=self.runtime.align_corners)
        plan = upsampling.bands(final_cells(rows, stride), scored=scored)
        return Layout((height, width), cells, rows, columns, upsampling, plan)

    def _scores(
        self, reader: PixelSource, layout: Layout, stretch: Span | None = None
    ) -> tuple[OwnRows | ResizedRows, Iterator[Floats]]:
        """The pixels of a picture, or of a stretch of its rows of tiles, and its logits, from top to bottom."""
        size, rows = layout.size, layout.rows[slice(*stretch or (None,))]
        pixels = (
            OwnRows(reader, rows)
            if size == (reader.height, reader.width)
            else ResizedRows(reader, size, rows, layout.plan)
        )
        network, margin = partial(self._views.logits, size=size), self.runtime.margin
        return pixels, join_tiles(
            pixels.windows(), layout.rows, layout.columns, self._overlap, self.runtime.stride, network, margin, stretch
        )
