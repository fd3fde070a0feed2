"""Predictor: any picture in, labels at the picture's own size out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from intarsia.bundle import Bundle, Preprocessing
from intarsia.errors import DataError, ModelError, UsageError
from intarsia.inference.pictures.refined import refine_rows
from intarsia.inference.pictures.rows import OwnRows, ResizedRows
from intarsia.inference.pictures.tiling import UNIT, exact_overlap, final_cells, join_tiles, spans
from intarsia.inference.sources import find_images, open_source
from intarsia.inference.volumes import VolumeSegmentation, segment_volume
from intarsia.labels import LabelArray
from intarsia.media.images import ImageLike
from intarsia.media.source import Medium, PixelSource, Place
from intarsia.media.video import is_video, open_video
from intarsia.media.volumes import is_volume
from intarsia.models import ImageModel, image_model
from intarsia.models.layers import resize
from intarsia.models.restore import restore
from intarsia.models.upsampling import Span, Upsampling, decide, softmax
from intarsia.refine import Refinement
from intarsia.result import Segmentation
from intarsia.runtimes.torch import Precision, accelerate
from intarsia.transforms.preprocess import normalise, prepare, working_size

Source = ImageLike | Iterable[ImageLike]

# The network sees an image whole up to this working size and this many logits, in tiles above.
WHOLE_PIXELS = 1_500_000
WHOLE_LOGITS = 64_000_000
_PROBE = 64


@dataclass(frozen=True)
class Band:
    """Some rows of a finished prediction, at the picture's own size.

    Attributes:
        top: the first row.
        labels: (h, W) class indices of the label space's type.
        scores: (h, W) float16, the winner's softmax probability; None unless the predictor was asked for scores.
        image: (h, W, 3) uint8 RGB, the picture's own rows.
        probabilities: (C, h, W) float32, the softmax over all classes; None unless they were asked for.
    """

    top: int
    labels: LabelArray
    scores: NDArray[np.float16] | None
    image: NDArray[np.uint8]
    probabilities: NDArray[np.float32] | None = None


class Predictor:
    """A bundle made ready to segment pictures of any size.

    Args:
        bundle: the trained model.
        tile: side in pixels of the tiles that large images are cut into, a multiple of 32.
        overlap: pixels that neighbouring tiles share, a multiple of 32, at most half a tile; a model with a margin
            raises it until the tiled prediction is that of the whole image (not mirrored, at its own scale).
        long_side: working size instead of the bundle's: pixels of the longer side, 0 for each picture's own size.
        bands: of rasters, the bands (from 1) that the network sees instead of the bundle's, as many.
        window: (low, high) stored values of rasters and volumes that become black and white, instead of the bundle's.
        tta: test-time augmentation: average the probabilities of the image and its mirror image.
        scales: average over the image at these scales of its working size as well.
        scores: also return the winning class's softmax probability.
        refine: what is done to the probabilities before the labels are decided, at the picture's own size: a method
            ("crf", "guided", "bilateral", "regions"), or a mapping of "method" and "options"; "none" for nothing, None
            for what the bundle's recipe says.
        precision: arithmetic of the network; "auto" measures whether bfloat16 is faster here.
        device: where the network computes: "cpu", "cuda", "cuda:1", ...; "auto" takes a GPU if there is one.

    Attributes:
        space: the classes that it predicts.
        preprocessing: what happens to pixels before the network.
        scores: whether bands and results come with the winner's probability.
        settings: what besides the weights decides the labels, as plain JSON.

    Raises:
        UsageError: an argument out of range.
        ModelError: the bundle's weights do not fit its model, or its model takes something else than pictures.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        tile: int = 512,
        overlap: int = 128,
        long_side: int | None = None,
        bands: Sequence[int] | None = None,
        window: tuple[float, float] | None = None,
        tta: bool = False,
        scales: Sequence[float] = (1.0,),
        scores: bool = False,
        refine: str | Mapping[str, Any] | None = None,
        precision: Precision = "auto",
        device: str = "auto",
    ) -> None:
        if tile < 2 * UNIT or tile % UNIT:
            raise UsageError(f"tile must be a multiple of {UNIT}, at least {2 * UNIT}, not {tile}")
        if not 0 <= overlap <= tile // 2 or overlap % UNIT:
            raise UsageError(
                f"overlap must be a multiple of {UNIT} from 0 to half the tile ({tile // 2}), not {overlap}"
            )
        if long_side is not None and long_side < 0:
            raise UsageError(f"long_side is a number of pixels, or 0 for each picture's own size, not {long_side}")
        if not scales or min(scales) <= 0:
            raise UsageError(f"scales are positive factors, at least one, not {tuple(scales)}")
        if not isinstance(bundle.preprocessing, Preprocessing):
            raise ModelError(f"{bundle.source or 'this bundle'}: {bundle.architecture} is no model of pictures")
        self.bundle = bundle
        self.space = bundle.space
        self.scores = scores
        self.preprocessing = _changed(bundle.preprocessing, long_side=long_side, bands=bands, window=window)
        self._refinement = Refinement.read((bundle.recipe or {}).get("refine") if refine is None else refine)
        self._tile = tile
        self._views = [(scale, mirrored) for scale in scales for mirrored in ((False, True) if tta else (False,))]
        self._device = find_device(device)
        model = image_model(restore(bundle))
        self._check_channels(model)
        self._model = accelerate(model, precision, self._device)
        self._dtype = next(self._model.parameters()).dtype
        self._stride = self._probe_stride()
        self._overlap = self._enough_overlap(overlap)
        self.settings = {
            "tile": tile, "overlap": self._overlap, "long_side": self.preprocessing.long_side, "tta": tta,
            "scales": list(scales), "refine": self._refinement and self._refinement.to_json(),
            **({"bands": list(bands)} if bands else {}), **({"window": list(window)} if window else {}),
        }  # fmt: skip

    def identity(self) -> str:
        """Checksum of the model and the settings: equal identities give equal labels."""
        text = json.dumps([self.bundle.checksum(), self.settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def network(self) -> ImageModel:
        """The model as it predicts here, made faster and on its device; see `accelerate`."""
        return self._model

    def working(self, pixels: NDArray[np.uint8]) -> Tensor:
        """A whole picture (H, W, 3) as the network takes it, at its working size: (1, C, h, w) on its device."""
        return prepare(pixels, self.preprocessing).to(self._device)

    @overload
    def segment(self, source: bytes | Image.Image | NDArray[np.uint8]) -> Segmentation: ...
    @overload  # a path may name one picture or many; Any spares callers, who know which, a cast
    def segment(self, source: str | os.PathLike[str]) -> Any: ...
    @overload
    def segment(self, source: Iterable[ImageLike]) -> Iterator[Any]: ...
    def segment(self, source: Source) -> Any:
        """Segment one picture, or many lazily.

        Args:
            source: a path, encoded bytes, a PIL image or an array ((H, W), (H, W, 3) RGB or (H, W, 4), uint8) for one
                picture; a folder (with its sub-folders), a glob pattern, a video file, ``camera:0``, or any iterable of
                sources for many. A video's frames are segmented in their order, see `VideoPredictor`. A NIfTI file or a
                DICOM folder is one volume.

        Returns:
            One result, at the picture's own size (EXIF orientation applied), of a volume a `VolumeSegmentation`; for
            many, an iterator that segments each picture when it is asked for it, in the order of the paths, and
            raises a bad picture's error at its turn.

        Raises:
            DataError: the picture cannot be read, or the folder or pattern holds no picture.
        """
        if isinstance(source, str | os.PathLike) and is_video(source):
            from intarsia.inference.video import VideoPredictor  # which is made of a predictor

            return (result.segmentation for result in VideoPredictor(self).stream(open_video(source)))
        if isinstance(source, str | os.PathLike):
            found = find_images(source)
            return self._one(source) if found is None else map(self._one, found.paths)
        if isinstance(source, bytes | Image.Image | np.ndarray):
            return self._one(source)
        return self._many(source)

    def _many(self, sources: Iterable[ImageLike]) -> Iterator[Any]:
        for source in sources:
            result = self.segment(source)
            if isinstance(result, Segmentation | VolumeSegmentation):
                yield result
            else:
                yield from result

    def _one(self, source: ImageLike) -> Segmentation | VolumeSegmentation:
        if isinstance(source, str | os.PathLike) and is_volume(source):
            return segment_volume(self, source)
        reader = open_source(source, self.preprocessing)
        size = (reader.height, reader.width)
        labels: LabelArray = np.empty(size, dtype=self.space.dtype)
        image = np.empty((*size, 3), dtype=np.uint8)
        scores = np.empty(size, dtype=np.float16) if self.scores else None
        for band in self.bands(reader):
            rows = slice(band.top, band.top + len(band.labels))
            labels[rows], image[rows] = band.labels, band.image
            if scores is not None and band.scores is not None:
                scores[rows] = band.scores
        return Segmentation(labels, self.space, scores=scores, source=reader.name, image=image)

    def probabilities(self, source: ImageLike) -> NDArray[np.float32]:
        """The softmax probabilities (C, H, W) of one picture at its own size; classes x pixels x 4 bytes of memory.

        Raises:
            DataError: the picture cannot be read.
        """
        bands = self.bands(open_source(source, self.preprocessing), probabilities=True)
        return np.concatenate([band.probabilities for band in bands if band.probabilities is not None], axis=1)

    def check_medium(self, medium: Medium, name: str) -> None:
        """Refuse what the model was not made for: numbers would come out, but they would mean nothing.

        Raises:
            DataError: a picture for a model of volumes, for instance.
        """
        made_for: Medium = "picture"
        if self.preprocessing.slices is not None:
            made_for = "volume"
        elif self.preprocessing.bands is not None:
            made_for = "raster"
        if medium == made_for or (made_for, medium) == ("picture", "raster"):
            return
        what = {
            "picture": "pictures: give it photos, or rasters with red, green and blue",
            "raster": f"rasters with the bands {self.preprocessing.bands}: give it GeoTIFF files",
            "volume": "volumes: give it a NIfTI file (.nii.gz) or the folder of a DICOM series",
        }
        raise DataError(f"cannot segment {name}: this model ({self.bundle.architecture}) is for {what[made_for]}")

    def bands(self, reader: PixelSource, *, probabilities: bool = False) -> Iterator[Band]:
        """Segment one opened picture from top to bottom; memory does not grow with its height.

        Large pictures are tiled. Logits, never labels, are resized to the picture's own size.

        Args:
            reader: the picture.
            probabilities: also give those of all classes.

        Raises:
            DataError: the picture is truncated or corrupt, too wide to be refined, or nothing that the model is for.
        """
        self.check_medium(reader.medium, reader.name)
        if self._refinement is None:
            yield from self._decided(reader, probabilities)
            return
        parts = ((b.top, b.probabilities, b.image) for b in self._decided(reader, True) if b.probabilities is not None)
        size = (reader.height, reader.width)
        for top, refined, image in refine_rows(parts, size, len(self.space), self._refinement):
            labels, _ = decide(refined, self.space.dtype, scores=False)
            scores = refined.max(axis=0).astype(np.float16) if self.scores else None
            yield Band(top, labels, scores, image, refined if probabilities else None)

    def _decided(self, reader: PixelSource, probabilities: bool) -> Iterator[Band]:
        """The bands without refinement."""
        size = (reader.height, reader.width)
        height, width = working_size(*size, self.preprocessing)
        cells = (-(-height // self._stride), -(-width // self._stride))
        whole = height * width <= WHOLE_PIXELS and cells[0] * cells[1] * len(self.space) <= WHOLE_LOGITS
        rows = [(0, height)] if whole else spans(height, self._tile, self._overlap)
        columns = [(0, width)] if whole else spans(width, self._tile, self._overlap)
        upsampling = Upsampling(cells, size, align_corners=self._model.align_corners)
        plan = upsampling.bands(final_cells(rows, self._stride))
        pixels = OwnRows(reader, rows) if (height, width) == size else ResizedRows(reader, (height, width), rows, plan)
        network = partial(self._network, size=(height, width))
        chunks = join_tiles(pixels.windows(), rows, columns, self._overlap, self._stride, network, self._model.margin)
        held, first = torch.empty(0), 0
        for bands in plan:
            held = torch.cat([held, next(chunks)], dim=2) if held.numel() else next(chunks)
            for top, bottom in bands:
                planes: Iterable[NDArray[np.float32]] = upsampling.planes(held, first, (top, bottom))
                every = None
                if probabilities:
                    planes = np.stack(list(planes))
                    every = softmax(planes)
                labels, scores = decide(planes, self.space.dtype, scores=self.scores)
                yield Band(top, labels, scores, reader.picture(pixels.photo(top, bottom)), every)
            keep = upsampling.first_cell(bands[-1][1]) if bands else first
            held, first = held[:, :, keep - first :].clone(), keep

    def _network(self, pixels: NDArray[np.uint8], rows: Span, columns: Span, *, size: tuple[int, int]) -> Tensor:
        """(h, w, channels) pixels -> float32 logits (1, C, ceil(h / stride), ceil(w / stride)), over all views."""
        place = Place(rows, columns, size)
        cells = (-(-pixels.shape[0] // self._stride), -(-pixels.shape[1] // self._stride))
        with torch.inference_mode():
            x = normalise(pixels, self.preprocessing)
            if self._views == [(1.0, False)]:
                return self._view(x, place, cells, 1.0, False).cpu()
            probabilities = [self._view(x, place, cells, scale, mirrored).softmax(1) for scale, mirrored in self._views]
            # The logarithm of a probability is a logit of it; zero has none.
            return torch.stack(probabilities).mean(0).clamp_(min=1e-30).log_().cpu()

    def _view(self, x: Tensor, place: Place, cells: tuple[int, int], scale: float, mirrored: bool) -> Tensor:
        if scale != 1:
            size = [max(1, round(side * scale)) for side in x.shape[2:]]
            x = F.interpolate(x, size=size, mode="bilinear", antialias=scale < 1)
        if mirrored:
            x, place = x.flip(3), place.mirrored()
        logits = self._model.logits_at(self._moved(x), place).float()
        if mirrored:
            logits = logits.flip(3)
        return resize(logits, cells, align_corners=self._model.align_corners)

    def _moved(self, x: Tensor) -> Tensor:
        return x.to(self._device, self._dtype, memory_format=torch.channels_last)

    def _probe_stride(self) -> int:
        """Pixels per logit; tiles have to start at whole logits."""
        sample = torch.zeros(1, self._model.in_channels, _PROBE, _PROBE)
        with torch.inference_mode():
            stride = _PROBE // self._model.logits(self._moved(sample)).shape[2]
        if UNIT % stride:
            raise ModelError(
                f"{self.bundle.architecture} gives logits at stride {stride}, which is no divisor of {UNIT}"
            )
        return stride

    def _check_channels(self, model: ImageModel) -> None:
        given = len(self.preprocessing.mean)
        if model.in_channels != given:
            raise ModelError(
                f"{self.bundle.source or 'this bundle'}: its model takes {model.in_channels} channels, but its "
                f"preprocessing makes {given} of a picture; pictures have three channels, or one as grey"
            )

    def _enough_overlap(self, overlap: int) -> int:
        """`overlap`, or more if the model's margin needs it."""
        margin = self._model.margin
        needed = max(overlap, exact_overlap(margin, self._stride))
        if needed > self._tile // 2:
            raise UsageError(
                f"{self.bundle.architecture} sees {margin} pixels around each output, so that its tiles share "
                f"{needed} pixels; tile must be at least {2 * needed}, not {self._tile}"
            )
        return needed


def _changed(
    trained: Preprocessing, *, long_side: int | None, bands: Sequence[int] | None, window: tuple[float, float] | None
) -> Preprocessing:
    """A bundle's preprocessing with the user's changes.

    Raises:
        UsageError: they do not fit the model.
    """
    changes: dict[str, Any] = {} if long_side is None else {"long_side": long_side or None}
    changes |= {} if bands is None else {"bands": tuple(bands)}
    changes |= {} if window is None else {"window": window}
    try:
        return Preprocessing.model_validate(trained.model_dump() | changes)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"bands and window do not fit this model: {reason}") from None


def find_device(name: str) -> torch.device:
    """The device that a name means; "auto" is the first GPU if there is one, else the CPU.

    Raises:
        UsageError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"no device is named {name!r}; use auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda") or (device.type == "cuda" and not torch.cuda.is_available()):
        raise UsageError(f"the device {name!r} is not available here; use auto or cpu (see: intarsia doctor)")
    return device
