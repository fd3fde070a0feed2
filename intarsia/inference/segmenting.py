"""One way from what a user names to results, whatever the medium."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Protocol

from intarsia.errors import UsageError
from intarsia.media.images import held
from intarsia.media.medium import MEDIA, Item, check_options, expand
from intarsia.preprocessing import AnyPreprocessing
from intarsia.result import Result

Ways = Mapping[str, Callable[[Any], Any]]
"""From the form of a medium to what segments an opened one: a result, or an iterator of frames."""


class Segments(Protocol):
    """What `segment_many` needs of a predictor."""

    given: frozenset[str]

    @property
    def preprocessing(self) -> AnyPreprocessing: ...


def segment_many(predictor: Segments, source: Any, ways: Ways, options: Mapping[str, Any] | None = None) -> Any:
    """Segment one source, or many lazily.

    Args:
        predictor: made ready.
        source: a name (a file, a folder, a pattern), something in memory, or an iterable of them.
        ways: how the predictor segments one of each form.
        options: further ones of this call; None says nothing.

    Returns:
        One result, or an iterator of results.

    Raises:
        DataError: there is no such source, or the model is for another medium.
        UsageError: an option of the predictor means nothing to the source, or that is nothing to segment.
    """
    source = held(source)
    chosen = {name: value for name, value in (options or {}).items() if value is not None}
    if isinstance(source, str | os.PathLike):
        # What the model is for is looked for in folders, whatever else lies there.
        media = tuple(medium for medium in MEDIA if medium.goes_with(ways))
        found = expand(source, predictor.given | set(chosen), media=MEDIA if os.path.isfile(source) else media)
        if found.base is None:
            return _one(predictor, found.items[0], ways, chosen)
        return _flat(_one(predictor, item, ways, chosen) for item in found.items)
    in_memory = next((medium for medium in MEDIA if isinstance(source, medium.types)), None)
    if in_memory is not None:
        return _one(predictor, Item(source, PurePosixPath("memory"), in_memory), ways, chosen)
    if not isinstance(source, Iterable):
        raise UsageError(f"cannot segment {source!r}: give a path, something in memory, or several of them")
    return _flat(segment_many(predictor, one, ways, chosen) for one in _iterable(source))


def _iterable(source: Iterable[Any]) -> Iterator[Any]:
    yield from source


def _one(predictor: Segments, item: Item, ways: Ways, options: Mapping[str, Any]) -> Any:
    medium = item.medium
    in_memory = isinstance(item.source, medium.types)
    predictor.preprocessing.check_medium(medium.name, "<array>" if in_memory else str(item.source))
    check_options(medium, predictor.given)
    return ways[medium.form](medium.open(item.source, predictor.preprocessing, options))


def _flat(results: Iterable[Any]) -> Iterator[Any]:
    for result in results:
        if isinstance(result, Result):
            yield result
        else:
            yield from result
