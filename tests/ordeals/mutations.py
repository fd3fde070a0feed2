"""Damaging the bytes of a file as disks, networks and hands do it: seeded, so that every damage can be made again."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

_NUMBER = re.compile(rb"\d+")
# What headers are forged with: lengths and counts just beyond what fits, in the common widths.
_EXTREMES = tuple(
    value.to_bytes(width, order)
    for width in (1, 2, 4, 8)
    for value in (0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1)
    for order in ("little", "big")
)
_NUMBERS = (b"0", b"-1", b"1", b"65536", b"2147483648", b"99999999999999999999", b"1e308", b"NaN", b"0.5", b"")


def flip(content: bytes, random: Random) -> bytes:
    """Flip one to eight bits."""
    damaged = bytearray(content)
    for _ in range(random.randint(1, 8)):
        damaged[_place(content, random)] ^= 1 << random.randrange(8)
    return bytes(damaged)


def cut(content: bytes, random: Random) -> bytes:
    """Keep only the beginning, as a copy that broke off does."""
    return content[: random.randrange(len(content))]


def swap(content: bytes, random: Random) -> bytes:
    """Exchange two blocks."""
    size = random.randint(1, max(1, len(content) // 4))
    first, second = sorted(random.randrange(len(content)) for _ in range(2))
    second = max(second, first + size)
    a, b = content[first : first + size], content[second : second + size]
    return content[:first] + b + content[first + size : second] + a + content[second + size :]


def splice(content: bytes, random: Random) -> bytes:
    """Put a block in a second time somewhere else, or leave one out."""
    start, size = _place(content, random), random.randint(1, 64)
    if random.random() < 0.5:
        return content[:start] + content[start + size :]
    place = _place(content, random)
    return content[:place] + content[start : start + size] + content[place:]


def zero(content: bytes, random: Random) -> bytes:
    """Fill a block with zeros, as a file system does that lost it."""
    start, size = _place(content, random), random.choice((1, 4, 16, 64, 512))
    return content[:start] + bytes(min(size, len(content) - start)) + content[start + size :]


def forge(content: bytes, random: Random) -> bytes:
    """Put an extreme number in the place of another one, binary or written out."""
    written = list(_NUMBER.finditer(content)) if random.random() < 0.5 else []
    if written:
        chosen = random.choice(written)
        return content[: chosen.start()] + random.choice(_NUMBERS) + content[chosen.end() :]
    extreme, place = random.choice(_EXTREMES), _place(content, random)
    return content[:place] + extreme + content[place + len(extreme) :]


KINDS: dict[str, Callable[[bytes, Random], bytes]] = {
    one.__name__: one for one in (flip, cut, swap, splice, zero, forge)
}
"""Every kind of damage by name."""


def damage(content: bytes, seed: str) -> tuple[str, bytes]:
    """Damage a file's bytes by a kind, and at places, that the seed decides; never to what they were.

    Returns:
        The kind, and the damaged bytes.
    """
    random = Random(seed)
    while True:
        kind = random.choice(tuple(KINDS))
        damaged = KINDS[kind](content, random)
        if damaged != content:
            return kind, damaged


def _place(content: bytes, random: Random) -> int:
    """A place in the file; every second one lies in its header."""
    reach = len(content) if random.random() < 0.5 else min(len(content), 256)
    return random.randrange(reach)
