"""Binary masks with soft edges: nearly all pixels dark or bright, and shades that fill no area of their own."""

from __future__ import annotations

from intarsia.datasets.coding import color_of
from intarsia.datasets.meaning.survey import Survey

THRESHOLD = 127

_PLAIN = 0.6  # share of dark and bright pixels, at least
_EVEN = 0.25  # share of them that lies within areas of one value, at least; of scattered classes it is less
_AREA = 0.1  # a value of which more lies within areas is no edge
_JPEG_AREA = 0.005  # of all pixels: JPEG leaves some even blocks between
_SHADES = 3  # fewer are classes of thin things
_BLUR = 8
_GRAY = 64  # smaller values are class numbers
_EDGE, _TINT = 16, 8  # how far from black and white lossy compression leaves gray levels, and from gray
_MANY = 16  # shades that no set of classes has without areas


def soft_threshold(found: Survey) -> int | None:
    """The largest value that counts as dark, if the gray masks are binary with soft edges; else None.

    The evidence is where the shades lie: those of an edge have neighbours of other values, those of a class fill areas.
    How many shades there are says nothing, as a few pictures of 16 levels hold as few as some classes do.
    """
    values, flat = found.values, found.flat
    top, total = max(values, default=0), sum(values.values())
    full = 255 if top <= 255 else 65535
    if top <= full // 2 or set(values) <= {0, top}:
        return None
    dark = [value for value in values if value <= full // 8]
    bright = [value for value in values if value >= top - full // 8]
    between = [value for value in values if full // 8 < value < top - full // 8]
    if not between and len(bright) == 1 and not found.jpegs:
        return None  # class numbers of thin things, and a void
    plain = sum(values[value] for value in (*dark, *bright))
    even = sum(flat[value] for value in (*dark, *bright))
    if not dark or plain < _PLAIN * total or even < _EVEN * plain:
        return None

    def areas(some: list[int]) -> int:
        return sum(flat[value] > _AREA * values[value] for value in some)

    if found.jpegs:
        soft = sum(flat[value] for value in between) <= _JPEG_AREA * total
    else:
        soft = not areas(between) and (len(between) >= _MANY or (areas(dark) <= 1 and areas(bright) <= 1))
    return (THRESHOLD if full == 255 and top > 7 * 255 // 8 else top // 2) if soft else None


def edge_shades(found: Survey) -> list[int]:
    """Shades that are no classes, of masks that are not binary: those of soft edges between gray levels, or of a blur.

    Class numbers are not looked at: those of thin things fill no areas either.
    """
    shades = [value for value, pixels in found.values.items() if found.flat[value] <= _AREA * pixels]
    areas, top = len(found.values) - len(shades), max(found.values, default=0)
    few = sum(found.values[value] for value in shades) <= (1 - _PLAIN) * sum(found.values.values())
    edges = areas >= 3 and len(shades) >= max(_SHADES, areas) and few
    blur = areas > 0 and len(shades) >= max(_BLUR, areas)
    return sorted(shades) if top >= _GRAY and len(found.values) <= top // 2 and (edges or blur) else []


def has_whites(found: Survey) -> bool:
    """Whether masks hold 0 and several bright values, as where some tools' white is 254."""
    bright = set(found.values) - {0}
    return len(bright) > 1 and all(7 * 255 // 8 < value <= 255 for value in bright)


def is_binary(found: Survey) -> bool:
    """Whether the masks are binary for certain: black and white, with or without soft edges."""
    read = found.by_index()
    return not read.colors and (set(read.values) == {0, 255} or soft_threshold(read) is not None)


def is_soft_color(found: Survey) -> bool:
    """Whether RGB masks are black and white in truth: some tools leave a little colour in their edges."""
    total = sum(found.colors.values()) + sum(found.values.values())
    plain = found.values[0] + found.values[255] + found.colors[0] + found.colors[0xFFFFFF]
    tinted = [color_of(code) for code in found.colors]
    if plain >= 0.95 * total and all(max(color) - min(color) <= 64 for color in tinted):
        return True
    # Lossy compression (WebP) leaves grays about black and white, and nothing else.
    near = sum(n for gray, n in found.values.items() if _is_near(gray))
    near += sum(n for code, n in found.colors.items() if all(map(_is_near, color_of(code))))
    lossy = len(found.values) + len(found.colors) > _MANY and near >= 0.95 * total
    return lossy and all(max(color) - min(color) <= _TINT for color in tinted)


def _is_near(level: int) -> bool:
    return level <= _EDGE or level >= 255 - _EDGE
