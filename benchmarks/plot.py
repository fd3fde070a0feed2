"""A scatter plot as one SVG file, without any plotting library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from intarsia.reports.curves import INK, ticks

_COLORS = (*INK, "#56b4e9", "#8a6d00", "#777777")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 760, 440, 64, 52, 54, 24

Point = tuple[float, float, str]


def scatter(title: str, groups: Mapping[str, Sequence[Point]], *, x_label: str, y_label: str) -> str:
    """Groups of points (x, y, label), each in a colour and joined from left to right."""
    every = [point for points in groups.values() for point in points]
    x_ticks, y_ticks = (ticks(min(p[axis] for p in every), max(p[axis] for p in every)) for axis in (0, 1))
    bottom = _HEIGHT - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]), (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return round(_LEFT + across * (_WIDTH - _LEFT - _RIGHT), 1), round(bottom - up * (bottom - _TOP), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12" fill="#333"><title>{escape(title)}</title><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{_LEFT}" y="20" font-weight="bold">{escape(title)}</text>',
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text transform="translate(16 {(_TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">{escape(y_label)}'
        "</text>",
    ]
    for value in y_ticks:
        x, y = place(x_ticks[0], value)
        parts.append(f'<path d="M{x} {y}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>')
    for value in x_ticks:
        x, y = place(value, y_ticks[0])
        parts.append(f'<path d="M{x} {y}v4" stroke="#777"/>')
        parts.append(f'<text x="{x}" y="{y + 18}" text-anchor="middle">{value:g}</text>')
    key = float(_LEFT)
    taken: list[tuple[float, float, float]] = []
    for index, (name, points) in enumerate(groups.items()):
        color = _COLORS[index % len(_COLORS)]
        placed = [(*place(x, y), label) for x, y, label in sorted(points)]
        path = " ".join(f"{x},{y}" for x, y, _ in placed)
        parts.append(f'<g fill="{color}"><polyline points="{path}" fill="none" stroke="{color}" stroke-opacity=".45"/>')
        for x, y, label in placed:
            parts.append(f'<circle cx="{x}" cy="{y}" r="4"/>{_label(x, y, label, taken)}')
        parts.append(f'<circle cx="{key + 4}" cy="36" r="4"/><text x="{key + 13}" y="40">{escape(name)}</text></g>')
        key += 28 + 6.6 * len(name)
    return "\n".join([*parts, "</svg>\n"])


def _label(x: float, y: float, text: str, taken: list[tuple[float, float, float]]) -> str:
    """The text beside its point, where none stands yet; without any, where there is no room."""
    if not text:
        return ""
    width = 6.2 * len(text)
    sides = [(7, 4), (7, 15), (7, -7), (-7 - width, 4), (-7 - width, 15), (-7 - width, -7), (7, 26), (7, -18)]
    for dx, dy in sides:
        left, base = x + dx, y + dy
        inside = left >= _LEFT and left + width <= _WIDTH and _TOP <= base <= _HEIGHT - _BOTTOM
        free = all(left > b or left + width < a or abs(base - line) > 10 for a, b, line in taken)
        if inside and free:
            taken.append((left, left + width, base))
            return f'<text x="{round(left, 1)}" y="{round(base, 1)}" font-size="11">{escape(text)}</text>'
    return ""
