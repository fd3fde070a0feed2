"""Training curves as small inline SVG pictures, without any plotting library."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from intarsia.errors import DataError

Points = list[tuple[float, float]]
INK = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 420, 220, 52, 30, 12, 12
_MOST_POINTS = 300


def read_log(path: Path) -> dict[str, Points]:
    """Curves of a run's `log.csv`: column -> [(epoch, value)], empty cells left out.

    Raises:
        DataError: the file is missing, or holds something that is no number.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"cannot read the training log {path}: {error.strerror}; was the run ever started?") from error
    except (ValueError, csv.Error) as error:
        raise DataError(f"{path}: no training log, or a damaged one ({error})") from error
    curves: dict[str, Points] = {}
    for number, row in enumerate(rows, start=2):
        for name, cell in row.items():
            if name in ("step", "epoch") or not cell:
                continue
            try:
                curves.setdefault(name, []).append((float(row["epoch"]), float(cell)))
            except (KeyError, TypeError, ValueError) as error:  # TypeError: more cells, or fewer, than columns
                raise DataError(f"{path}, line {number}, column {name!r}: {cell!r} is not a number") from error
    return curves


def chart(
    title: str,
    curves: Mapping[str, Points],
    *,
    x_label: str = "epoch",
    colors: Sequence[str] = INK,
    last: bool = True,
) -> str:
    """One line chart as an SVG element; curves without a finite point are left out.

    Args:
        title: heading.
        curves: name -> points.
        x_label: what the points' first number is.
        colors: one for each curve; curves beyond them are left out.
        last: name each curve's last value in the legend.

    Returns:
        The element, or "" when nothing can be drawn.
    """
    drawn = [
        (name, thin([p for p in points if math.isfinite(p[1])]), color)
        for (name, points), color in zip(curves.items(), colors, strict=False)
    ]
    drawn = [curve for curve in drawn if curve[1]]
    if not drawn:
        return ""
    every = [point for _, points, _ in drawn for point in points]
    x_ticks = ticks(min(x for x, _ in every), max(x for x, _ in every))
    y_ticks = ticks(min(y for _, y in every), max(y for _, y in every))
    (left, right), (low, high) = (x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1])

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            round(_LEFT + (x - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT), 1),
            round(_HEIGHT - _BOTTOM - (y - low) / (high - low) * (_HEIGHT - _BOTTOM - _TOP), 1),
        )

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">']
    for value in y_ticks:
        x, y = place(left, value)
        parts.append(f'<line class="grid" x1="{x}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>')
    for value in x_ticks:
        x, y = place(value, low)
        parts.append(f'<text x="{x}" y="{y + 16}" text-anchor="middle">{value:g}</text>')
    for name, points, color in drawn:
        placed = [place(*point) for point in points]
        path = " ".join(f"{x},{y}" for x, y in placed)
        parts.append(f'<polyline points="{path}" stroke="{color}"><title>{escape(name)}</title></polyline>')
        parts.append(f'<circle cx="{placed[-1][0]}" cy="{placed[-1][1]}" r="2.5" fill="{color}"/>')
    parts.append("</svg>")
    key = "".join(
        f'<span><i style="background:{color}"></i>{escape(name)}{f" {points[-1][1]:.4g}" if last else ""}</span>'
        for name, points, color in drawn
    )
    head = f'<figcaption><b>{escape(title)}</b> <span class="dim">by {escape(x_label)}</span></figcaption>'
    return f'<figure class="chart">{head}{"".join(parts)}<p class="key">{key}</p></figure>'


def ticks(low: float, high: float) -> list[float]:
    """About five round values that enclose [low, high]; always at least two."""
    if high <= low:
        low, high = (low - 0.5, low + 0.5) if low else (0.0, 1.0)
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def thin(points: Sequence[tuple[float, float]]) -> Points:
    """At most a few hundred points: means of neighbours, so that a long noisy curve stays small and readable."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    size = math.ceil(len(points) / _MOST_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]
