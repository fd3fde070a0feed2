"""One way from what a user names to results, whatever the medium."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Protocol

import numpy as np
from PIL import Image

from intarsia.bundle import CloudPreprocessing, Preprocessing
from intarsia.media.clouds import CloudReader, PointCloud
from intarsia.media.medium import CLOUD, MEDIA, PICTURE, Item, Medium, check_options, expand
from intarsia.result import Result

Ways = Mapping[str, Callable[[Item], Any]]
"""From the form of a medium to what segments one of it: a result, or an iterator of frames."""


class Segments(Protocol):
    """What `segment_many` needs of a predictor."""

    given: frozenset[str]

    @property
    def preprocessing(self) -> Preprocessing | CloudPreprocessing: ...


def segment_many(predictor: Segments, source: Any, ways: Ways, given: frozenset[str] = frozenset()) -> Any:
    """Segment one source, or many lazily.

    Args:
        predictor: made ready.
        source: a name (a file, a folder, a pattern), something in memory, or an iterable of them.
        ways: how the predictor segments one of each form.
        given: names of further options of this call.

    Returns:
        One result, or an iterator of results.

    Raises:
        DataError: there is no such source, or the model is for another medium.
        UsageError: an option of the predictor means nothing to the source.
    """
    if isinstance(source, str | os.PathLike):
        # What the model is for is looked for in folders, whatever else lies there.
        media = tuple(medium for medium in MEDIA if medium.form in ways)
        found = expand(source, predictor.given | given, media=MEDIA if _is_one_file(source) else media)
        if found.base is None:
            return _one(predictor, found.items[0], ways)
        return _flat(_one(predictor, item, ways) for item in found.items)
    if isinstance(source, bytes | Image.Image | np.ndarray | PointCloud | CloudReader):
        return _one(predictor, _in_memory(source), ways)
    return _flat(segment_many(predictor, one, ways, given) for one in _iterable(source))


def _is_one_file(source: str | os.PathLike[str]) -> bool:
    return os.path.isfile(source)


def _iterable(source: Iterable[Any]) -> Iterator[Any]:
    yield from source


def _in_memory(source: Any) -> Item:
    medium: Medium = CLOUD if isinstance(source, PointCloud | CloudReader) else PICTURE
    return Item(source, PurePosixPath("memory"), medium)


def _one(predictor: Segments, item: Item, ways: Ways) -> Any:
    medium = item.medium
    if medium.form not in ways:
        predictor.preprocessing.check_medium(medium.name, str(item.source))
    check_options(medium, predictor.given)
    return ways[medium.form](item)


def _flat(results: Iterable[Any]) -> Iterator[Any]:
    for result in results:
        if isinstance(result, Result):
            yield result
        else:
            yield from result
