"""What the stored values of a set of masks mean: the one place that decides, for every layout, medium and command."""

from intarsia.datasets.meaning.choosing import choose, without_ignored
from intarsia.datasets.meaning.palettes import by_palette
from intarsia.datasets.meaning.softness import is_binary, soft_threshold
from intarsia.datasets.meaning.survey import MOST_COLORS, Survey
from intarsia.datasets.meaning.values import WHITE

__all__ = [
    "MOST_COLORS", "WHITE", "Survey", "by_palette", "choose", "is_binary", "soft_threshold", "without_ignored",
]  # fmt: skip
