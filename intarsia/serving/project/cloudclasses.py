"""The class codes of a cloud's file as classes of the project, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intarsia.labels import LabelArray, LabelSpace, distinct_colors
from intarsia.media.clouds.las import ASPRS, ASPRS_COLORS
from intarsia.serving.project.classes import hex_of
from intarsia.serving.project.project import Project

_MOST = 250  # codes that can be classes; more are numbers of something else
_NEVER = 0  # the code of LAS for points that nobody has classified


class Codes(NamedTuple):
    """What the numbers in a file mean.

    Attributes:
        classes: number of the project's class by code.
        is_las: whether they are codes of LAS, which the file shall have again.
    """

    classes: Mapping[int, int]
    is_las: bool

    def labels(self, stored: NDArray[np.int64] | None, count: int, space: LabelSpace) -> LabelArray:
        """The labels (N,) that a file's codes mean; codes without a class are unknown."""
        if stored is None or not self.classes:
            return np.full(count, space.ignore_index, space.dtype)
        top = max(self.classes)
        table = np.full(top + 2, space.ignore_index, space.dtype)
        for code, index in self.classes.items():
            table[code] = index
        found: LabelArray = table[np.where((stored < 0) | (stored > top), top + 1, stored)]
        return found

    def by_name(self, space: LabelSpace) -> dict[str, int] | None:
        """The code by the name of the class, for writing; None where the format has none."""
        return {space.names[index]: code for code, index in self.classes.items()} if self.is_las else None


def understand(project: Project, stored: NDArray[np.int64] | None, usual: LabelSpace | None, *, is_las: bool) -> Codes:
    """Find a class of the project for every code of a file; those that it lacks are added.

    Codes of LAS have the names of the standard; those of other files are numbers of the project's classes. While nobody
    has said classes, and nothing is labelled or predicted, the project takes those of a model of clouds.

    Args:
        project: whose classes may grow.
        stored: (N,) codes; None of a file without any.
        usual: the classes of a model of clouds.
        is_las: whether the file is LAS or LAZ.
    """
    codes = [] if stored is None else [int(code) for code in np.unique(stored) if code >= 0]
    if is_las:
        codes = [code for code in codes if code != _NEVER]
    else:
        codes = [code for code in codes if code != project.space.ignore_index]
    if len(codes) > _MOST or (codes and not is_las and max(codes) > _MOST):
        codes = []
    names = _names(project, codes, is_las=is_las)
    offered = [*names.values()] if codes and not is_las else []
    if usual is not None and not offered:
        offered = [*usual.names, *(name for name in names.values() if name not in usual.names)]
    if offered and not project.drafts:
        project.adopt(LabelSpace(tuple(offered), _colors(offered)))
    if codes:
        _add(project, [*names.values()])
    space, known_as = project.space, project.classes.known_as
    found = {name: index for index, name in enumerate(space.names)}
    return Codes({code: found.get(name, known_as.get(name, -1)) for code, name in names.items()}, is_las)


def _names(project: Project, codes: list[int], *, is_las: bool) -> dict[int, str]:
    """A name for each code; where codes are numbers, for those between as well."""
    if is_las:
        return {code: ASPRS.get(code, f"code_{code}") for code in codes}
    own = project.space.names if project.classes.chosen else ()
    numbers = range(max(codes) + 1) if codes else ()
    return {number: own[number] if number < len(own) else f"class_{number}" for number in numbers}


def _add(project: Project, names: list[str]) -> None:
    """Add classes that are not there; from here on they are the project's own, whatever a model says."""
    classes = project.classes
    lacking = [name for name in names if name not in classes.space.names and name not in classes.known_as]
    if lacking or not classes.chosen:
        colors = dict(zip(lacking, _colors([*classes.space.names, *lacking])[len(classes.space) :], strict=True))
        project.change_classes([*classes.rows(), *({"name": n, "color": hex_of(colors[n])} for n in lacking)])


def _colors(names: list[str]) -> tuple[tuple[int, int, int], ...]:
    """The colours that readers of maps expect, and for other classes those of the package."""
    return tuple(ASPRS_COLORS.get(name, other) for name, other in zip(names, distinct_colors(len(names)), strict=True))
