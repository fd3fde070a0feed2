"""Pictures, masks, animations, stacks and videos."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ordeals.targets import Target, digest, written
from PIL import Image

from intarsia.labels import LabelSpace
from intarsia.media.animations import Animation
from intarsia.media.images import MAX_PIXELS, open_image
from intarsia.media.maskfile import read_mask_file
from intarsia.media.png import encode_mask
from intarsia.media.stacks import StackReader
from intarsia.media.video import open_video

SIZE = (24, 20)
_STILLS: dict[str, tuple[str, dict[str, Any]]] = {
    "photo.png": ("RGB", {}),
    "photo.jpg": ("RGB", {"quality": 90}),
    "progressive.jpg": ("RGB", {"progressive": True, "restart_marker_blocks": 2}),
    "photo.tif": ("RGB", {"compression": "tiff_lzw"}),
    "deflated.tif": ("RGB", {"compression": "tiff_adobe_deflate"}),
    "plain.tif": ("RGB", {}),
    "lossy.webp": ("RGB", {}),
    "photo.webp": ("RGB", {"lossless": True}),
    "photo.gif": ("P", {}),
    "photo.bmp": ("RGB", {}),
    "photo.ppm": ("RGB", {}),
    "photo.tga": ("RGB", {"compression": "tga_rle"}),
    "photo.avif": ("RGB", {}),
    "photo.jp2": ("RGB", {}),
}


def scene(seed: int = 0) -> NDArray[np.uint8]:
    """A ramp with some noise, (24, 20, 3)."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    ramp = np.stack([rows * 9, columns * 11, rows + columns], axis=-1)
    return (ramp + np.random.default_rng(seed).integers(0, 20, (*SIZE, 3))).astype(np.uint8)


def read_picture(path: Path) -> str:
    """Read a photo, and what its notes say."""
    reader = open_image(path)
    pixels = reader.read()
    return digest(pixels, reader.width, reader.height)


def read_stored(path: Path) -> str:
    """Read a mask."""
    found = read_mask_file(path, str(path), MAX_PIXELS)
    return digest(found.values, found.palette, found.nodata)


def _frames(path: Path) -> str:
    return digest(*(frame.image for frame in Animation(path)))


def _pages(path: Path) -> str:
    return digest(*(page.read() for page in StackReader(path).pages()))


def _video(path: Path) -> str:
    video = open_video(path)
    frames = [digest(frame.image, frame.pts) for frame in video]
    if video.notes:  # what was lost is said
        return f"said: {'; '.join(video.notes)}"
    return digest(*frames)


def _mask(path: Path) -> None:
    labels = np.arange(SIZE[0] * SIZE[1], dtype=np.uint8).reshape(SIZE) % 3
    path.write_bytes(encode_mask(labels, LabelSpace(("a", "b", "c"))))


def _still(path: Path) -> None:
    mode, options = _STILLS[path.name]
    Image.fromarray(scene()).convert(mode).save(path, **options)


def _several(path: Path, **options: Any) -> None:
    first, *others = (Image.fromarray(scene(seed)) for seed in range(4))
    first.save(path, save_all=True, append_images=others, duration=40, **options)


def _deep(path: Path) -> None:
    Image.fromarray(scene()[..., 0].astype(np.uint16) * 250).save(path)


def _npy(path: Path) -> None:
    np.save(path, scene()[..., 0] % 5)


def _clip(path: Path) -> None:
    from filmed import moving_squares, write_clip

    write_clip(path, moving_squares(6), sound=path.suffix == ".mp4")


def _smallest(path: Path) -> None:
    """A JPEG photo with an EXIF block, a comment and a colour profile's place."""
    image, block = Image.fromarray(scene()), Image.Exif()
    block[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=block, comment=b"made for a test")
    path.write_bytes(buffer.getvalue())


def targets() -> Iterator[Target]:
    """Every form of picture."""
    for name in _STILLS:
        # Bytes of one pixel more or less are the same file to formats without a length.
        yield Target(name, written(name, _still), read_picture, sealed=name == "photo.png")
    yield Target("exif.jpg", written("exif.jpg", _smallest), read_picture)
    yield Target("mask.png", written("mask.png", _mask), read_stored, sealed=True)
    yield Target("deep.png", written("deep.png", _deep), read_picture, sealed=True)
    yield Target("deep-mask.tif", written("deep-mask.tif", _deep), read_stored)
    yield Target("mask.npy", written("mask.npy", _npy), read_stored)
    yield Target("moving.gif", written("moving.gif", _several), _frames, whole=False)
    yield Target("moving.png", written("moving.png", _several), _frames, sealed=True)
    yield Target("moving.webp", written("moving.webp", lambda path: _several(path, lossless=True)), _frames)
    yield Target("stack.tif", written("stack.tif", _several), _pages)
    if importlib.util.find_spec("av"):
        for name in ("clip.mp4", "clip.mkv", "clip.avi"):
            # FFmpeg asks for as many bytes as a damaged length says, and then touches none of them.
            yield Target(name, written(name, _clip), _video, whole=False, greed=8 << 30)
