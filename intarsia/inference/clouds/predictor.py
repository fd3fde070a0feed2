"""CloudPredictor: any cloud in, the class of every point out, in the order of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from intarsia.bundle import Description
from intarsia.errors import DataError, ModelError, UsageError
from intarsia.inference.clouds.doubts import Doubts, look
from intarsia.inference.clouds.spool import Spool
from intarsia.inference.clouds.tiles import TileLabels
from intarsia.inference.ready import Ready
from intarsia.inference.segmenting import segment_many
from intarsia.labels import LabelArray
from intarsia.media.clouds import CloudReader, PointCloud
from intarsia.media.clouds.names import NORMALS
from intarsia.media.clouds.opening import CloudLike
from intarsia.media.medium import CLOUD, Form, check_options
from intarsia.preprocessing import CloudPreprocessing, expect
from intarsia.result import CloudSegmentation
from intarsia.runtimes import AUTO
from intarsia.runtimes.contract import Precision, Runtime
from intarsia.runtimes.upsampling import Span, softmax
from intarsia.transforms.clouds.blocks import Network
from intarsia.transforms.clouds.categories import CATEGORIES, FIELD, category_index, parts_among
from intarsia.transforms.clouds.columns import density
from intarsia.transforms.clouds.features import FEATURES, channels, require_fields
from intarsia.transforms.clouds.geometry import GROUND_REACH, Floats
from intarsia.transforms.clouds.labelling import point_probabilities, prepared
from intarsia.transforms.clouds.scene import is_finite

# Clouds up to this size are labelled in one piece, larger ones tile by tile.
WHOLE_POINTS = 2_000_000
_TILE_POINTS = 1_000_000
_SURROUNDINGS = 2.0  # metres that normals and shapes may reach
_FIRST = 100_000
# Points that a network sees at once, over all blocks of a batch: enough to keep the cores busy.
_BATCH_POINTS = 1 << 14
_TURNS = ((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0))

Progress = Callable[[int, int], None]


class CloudPredictor(Ready):
    """A bundle made ready to label point clouds of any size.

    Args:
        bundle: the trained model; with a runtime of your own, its description is enough.
        runtime: what computes: a name (`intarsia.runtimes.RUNTIMES`), or a runtime made ready.
        tta: test-time augmentation: average over the cloud turned by 0, 90, 180 and 270 degrees; four times the work.
        precision: arithmetic of the network: "auto" or "fp32", which is the same for points.
        device: where the network computes; "auto" takes a GPU if there is one.

    Attributes:
        space: the classes that it predicts.
        preprocessing: what happens to points before the network.
        runtime: what computes.
        settings: what besides the weights decides the labels, as plain JSON.
        given: names of the options that differ from their defaults.
        things: what it is for, in words.
        forms: of the media that it segments.

    Raises:
        ModelError: the bundle's weights do not fit its model, or its model is none of points.
        UsageError: `tta` for a model of whole objects, which are not turned in training.
    """

    things = "point clouds"
    forms: frozenset[Form] = frozenset({"points"})

    def __init__(
        self,
        bundle: Description,
        *,
        runtime: Runtime | str = AUTO,
        tta: bool = False,
        precision: Precision = "auto",
        device: str = "auto",
    ) -> None:
        refusal = ModelError(f"{bundle.title}: {bundle.architecture} is no model of point clouds")
        self.preprocessing = expect(bundle.preprocessing, CloudPreprocessing, refusal)
        if tta and self.preprocessing.whole:
            raise UsageError("tta turns clouds about z, but models of whole objects know them in one pose only")
        super().__init__(bundle, {"runtime": runtime, "tta": tta, "precision": precision, "device": device})
        made = channels(self.preprocessing.features)
        if self.runtime.in_channels != made:
            raise ModelError(
                f"{bundle.title}: its model takes {self.runtime.in_channels} channels, but its features "
                f"make {made}; the file was changed after training, fetch it again"
            )
        network = as_function(self.runtime)
        self._network: Network = _turned(network, self.preprocessing.features) if tta else network
        self.settings = {"tta": tta}
        self.given = frozenset({"tta"} if tta else ())

    @classmethod
    def with_options(cls, bundle: Description, options: Mapping[str, Any]) -> Self:
        """Make one with the options that users give for whatever model they name; see `Ready.with_options`."""
        own = {name: options[name] for name in ("tta", "runtime", "precision", "device") if name in options}
        usual = (None, False, "none", "argmax")
        check_options(CLOUD, [n for n, value in options.items() if n not in own and value not in usual])
        return cls(bundle, **own)

    def of_clouds(self, name: str) -> Self:
        """Give itself."""
        return self

    def segment(
        self,
        source: CloudLike | Iterable[CloudLike],
        *,
        columns: str | None = None,
        category: str | None = None,
        progress: Progress | None = None,
    ) -> Any:
        """Label every point of a cloud, or of many lazily; they need no labels of their own.

        Large clouds are sorted into tiles on disk and labelled one after the other, each with its surroundings, so that
        memory does not grow with the cloud (but for three bytes a point, the result).

        Args:
            source: a file in any format of `open_cloud`, an S3DIS room, a `PointCloud`, or an opened cloud; a folder
                (with its sub-folders), a glob pattern or an iterable of sources for many.
            columns: names of the columns of arrays and tables.
            category: what the object is, for models of parts; see `require_category`.
            progress: called with the number of points that are done and of all, of the cloud in work.

        Returns:
            A `CloudSegmentation`; for many, an iterator of them that labels each when it is asked for it.

        Raises:
            DataError: the cloud cannot be read, has no points, or lacks fields that the model's features need; the
                message names features and fields. Or the folder or pattern holds no cloud.
            UsageError: the model has to know the category, or does not know that one.
        """
        one = partial(self.segment_opened, category=category, progress=progress)
        return segment_many(self, source, {"points": one}, {"columns": columns, "category": category})

    def segment_opened(
        self,
        reader: CloudReader,
        *,
        category: str | None = None,
        progress: Progress | None = None,
        tiles: Iterable[TileLabels] | None = None,
    ) -> CloudSegmentation:
        """Label every point of an opened cloud; see `segment`.

        Args:
            reader: the cloud.
            category: see `segment`.
            progress: see `segment`.
            tiles: what `tiles` gives of all of it, wherever it comes from; None: it is computed.
        """
        settings, kind = self.preprocessing, self._kind(reader, category)
        fields = reader.fields if kind is None else (*reader.fields, FIELD)
        read = f"{reader.name} ({'; '.join(reader.notes)})" if reader.notes else reader.name
        without = require_fields(settings.features, fields, read, settings.optional)
        labels: LabelArray = np.full(reader.count, self.space.ignore_index, dtype=self.space.dtype)
        confidence = np.zeros(reader.count, dtype=np.float16)
        done, doubts = 0, Doubts(settings)
        for tile in self.tiles(reader, category=category) if tiles is None else tiles:
            labels[tile.places] = tile.labels
            confidence[tile.places] = tile.confidence
            doubts.fields(tile.filled, reader.fields)
            doubts.add(tile.looks)
            done += len(tile.places)
            if progress is not None:
                progress(done, reader.count)
        # What only objects of one kind were trained without is not missed.
        missed = tuple(name for name in without if name != FIELD)
        notes = [f"without {', '.join(missed)}, which the file does not have: less sure"] if missed else []
        notes = [*reader.notes, *notes, *doubts.notes()]
        return CloudSegmentation(labels, self.space, confidence, reader, missed, tuple(notes))

    def require_category(self, name: str | None) -> int | None:
        """Index of the category that an object is said to be, or None where nothing is said and nothing needed.

        Raises:
            UsageError: the model has to know what an object is, and nothing is said; the message lists the categories.
                Or there is no such category, or it means nothing to the model.
        """
        settings = self.preprocessing
        needed = FIELD in settings.features and FIELD not in settings.optional
        if name is None and needed:
            raise UsageError(
                "the model has to be told what the object is (--category NAME; Python: category=NAME), one of: "
                f"{', '.join(CATEGORIES)}"
            )
        if name is None:
            return None
        index = category_index(name)
        if not needed and not (settings.whole and parts_among(self.space.names, index)):
            raise UsageError("the model knows no categories of objects; leave --category out")
        return index

    def probabilities(self, cloud: PointCloud) -> Floats:
        """(N, C) class probabilities of a cloud in memory, whose coordinates are all finite."""
        return self._label(cloud)[0]

    def extent(self, reader: CloudReader) -> Span | None:
        """Tell what of an opened cloud can be shared: its points, counted tile after tile; None of a small one."""
        return (0, reader.count) if reader.count > WHOLE_POINTS and not self.preprocessing.whole else None

    def tiles(
        self, reader: CloudReader, *, category: str | None = None, stretches: Sequence[Span] | None = None
    ) -> Iterator[TileLabels]:
        """Label an opened cloud tile by tile; a small one is a single tile.

        Args:
            reader: the cloud.
            category: see `segment`.
            stretches: of its `extent`: only those tiles that begin there; None: all.

        Raises:
            DataError: see `segment`.
        """
        kind, dtype = self._kind(reader, category), self.space.dtype
        if reader.count > WHOLE_POINTS and self.preprocessing.whole:
            raise DataError(
                f"{reader.name}: {reader.count:,} points; the model sees objects whole, up to {WHOLE_POINTS:,} points: "
                "thin the cloud, or cut the object out of it"
            )
        if reader.count <= WHOLE_POINTS:
            cloud = reader.read()
            if kind is not None:
                cloud = replace(cloud, fields=cloud.fields | {FIELD: np.full(len(cloud), kind, dtype=np.uint8)})
            finite = np.flatnonzero(is_finite(cloud))
            filled = {name for name, values in cloud.fields.items() if values.any()}
            yield TileLabels.of(0, finite, *self._label(cloud.take(finite)), filled, dtype)
            return
        features = self.preprocessing.features
        margin = self.preprocessing.block + (GROUND_REACH if "height" in features else 0)
        margin += _SURROUNDINGS if {"shape", "normals"} & set(features) else 0
        needs = {need for name in features for need in FEATURES[name].needs} & set(reader.fields)
        if "normals" in features and all(name in reader.fields for name in NORMALS):
            needs |= set(NORMALS)
        first = next(reader.chunks(_FIRST)).xyz
        first = first[np.isfinite(first).all(axis=1)]
        if not len(first):
            first = np.zeros((1, 3))
        first = (first - first.min(axis=0)).astype(np.float32)
        side = max(2 * margin, float(np.sqrt(_TILE_POINTS / density(first, self.preprocessing.block / 4))))
        with Spool(reader, tuple(sorted(needs)), side) as spool:
            for tile in spool.tiles(margin, stretches):
                found, looks = self._label(tile.cloud, bounds=spool.bounds, core=tile.core, wanted=tile.inside)
                yield TileLabels.of(tile.start, tile.places[tile.inside], found, looks, spool.filled, dtype)

    def _kind(self, reader: CloudReader, category: str | None) -> int | None:
        """The category that is said; None where the cloud's points tell theirs, or nothing is needed."""
        return None if category is None and FIELD in reader.fields else self.require_category(category)

    def _label(
        self,
        cloud: PointCloud,
        *,
        bounds: NDArray[np.float64] | None = None,
        core: NDArray[np.float64] | None = None,
        wanted: NDArray[np.bool_] | None = None,
    ) -> tuple[Floats, NDArray[np.float64]]:
        """Probabilities of the wanted points of a cloud, or of all, and what it looks like (see `look`)."""
        scene = prepared(cloud, self.preprocessing, bounds=bounds)
        found = point_probabilities(
            cloud, scene, self._network, self.preprocessing, self.space.names, batch_points=_BATCH_POINTS,
            core=core, wanted=wanted,
        )  # fmt: skip
        return found, look(self.preprocessing, cloud, scene)


def as_function(runtime: Runtime) -> Network:
    """Make a plain function of a runtime: blocks (B, P, channels) to class probabilities (B, P, C)."""

    def run(blocks: Floats) -> Floats:
        logits = runtime.logits(np.ascontiguousarray(blocks.transpose(0, 2, 1)))
        found: Floats = np.ascontiguousarray(softmax(logits.transpose(1, 0, 2)).transpose(1, 2, 0))
        return found

    return run


def _turned(network: Network, features: tuple[str, ...]) -> Network:
    """The mean over four turns about the vertical."""
    place, normals = 3, None
    for name in features:
        if name == "normals":
            normals = slice(place, place + 2)
        place += FEATURES[name].channels

    def run(blocks: Floats) -> Floats:
        views = []
        for turn in _TURNS:
            matrix = np.array(turn, dtype=np.float32).reshape(2, 2)
            turned = blocks.copy()
            turned[..., :2] = blocks[..., :2] @ matrix
            if normals is not None:
                turned[..., normals] = blocks[..., normals] @ matrix
            views.append(network(turned))
        mean: Floats = np.mean(views, axis=0)
        return mean

    return run
