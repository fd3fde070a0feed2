"""World files: six numbers beside a picture that say where it lies on the map."""

from __future__ import annotations

from pathlib import Path

_NUMBERS = 6


def world_file(picture: Path) -> Path | None:
    """The world file of a picture: a.jgw, a.jpgw or a.wld beside a.jpg."""
    end = picture.suffix[1:]
    if not end:
        return None
    for suffix in (f"{end[0]}{end[-1]}w", f"{end}w", "wld"):
        for file in (picture.with_suffix(f".{suffix.lower()}"), picture.with_suffix(f".{suffix.upper()}")):
            if file.is_file() and _is_world(file):
                return file
    return None


def told(picture: object) -> tuple[str, ...]:
    """Say that the results of a picture with a world file are in pixels."""
    found = world_file(picture) if isinstance(picture, Path) else None
    if found is None:
        return ()
    return (
        f"{found.name} beside it says where it lies on the map, and results of a picture are in pixels; those of a "
        "GeoTIFF keep the place (gdal_translate -a_srs EPSG:CODE IN OUT.tif)",
    )


def _is_world(file: Path) -> bool:
    try:
        numbers = [float(one) for one in file.read_bytes()[:1024].split()]
    except (OSError, ValueError):
        return False
    return len(numbers) == _NUMBERS
