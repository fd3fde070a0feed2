"""Small files that say that they are large: each must be refused by what its header says, before it is unpacked."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ordeals.servers import Outcome, serve, warm
from PIL import Image

from intarsia.bundle import Description

HUGE = 2_000_000_000
MEMORY = 64 << 20
"""Bytes that answering a bomb may take, beside the libraries that are loaded."""


@dataclass(frozen=True)
class Bomb:
    """One file, and what reads it; `inside`: what it says that it holds is there, and small, so that it may be read."""

    name: str
    content: Callable[[], bytes]
    read: Callable[[Path], object]
    inside: bool = False


@dataclass(frozen=True)
class Answer:
    """How a bomb was answered, and what is wrong with that."""

    name: str
    outcome: Outcome
    faults: list[str]


def _picture(path: Path) -> object:
    from intarsia.media.images import open_image

    return open_image(path).read().shape


def _stack(path: Path) -> object:
    from intarsia.media.stacks import StackReader

    return len(StackReader(path))


def _animation(path: Path) -> object:
    from intarsia.media.animations import Animation

    return Animation(path).count


def _volume(path: Path) -> object:
    from intarsia.media.volumes import open_volume

    return [values.shape for _, values in open_volume(path).slabs()]


def _cloud(path: Path) -> object:
    from intarsia.media.clouds import open_cloud

    return len(open_cloud(path).read())


def _video(path: Path) -> object:
    from intarsia.media.video import open_video

    return sum(1 for _ in open_video(path))


def _annotations(path: Path) -> object:
    from intarsia.annotations import open_annotations

    return list(open_annotations(path))


def _model(path: Path) -> object:
    from ordeals import models

    return models.read_onnx(path) if path.suffix == ".onnx" else Description.load(path).checksum()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png() -> bytes:
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(bytes(9000)))
        + _chunk(b"IEND", b"")
    )


def _tiff() -> bytes:
    entries = [(256, 4, 1, 200_000), (257, 4, 1, 200_000), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1)]
    entries += [(273, 4, 1, 200), (277, 3, 1, 1), (278, 4, 1, 200_000), (279, 4, 1, 99)]
    rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(4)).ljust(400, b"\0")


def _pages() -> bytes:
    """A million pages; each but the first has one entry."""
    head, first = _tiff()[:8], _tiff()[8:118]
    at, rest = 8 + len(first) + 4, []
    for _ in range(1_000_000):
        rest.append(struct.pack("<HHHIII", 1, 256, 4, 1, 1, at + 18))
        at += 18
    return head + first + struct.pack("<I", 8 + len(first) + 4) + b"".join(rest)


def _webp() -> bytes:
    side = (16_383 - 1) | ((16_383 - 1) << 14)
    body = b"\x2f" + struct.pack("<I", side) + bytes(40)
    chunk = b"VP8L" + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def _gif() -> bytes:
    """A million frames of one pixel."""
    frame = b"\x21\xf9\x04\0\1\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + frame * 1_000_000 + b";"


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.json", "w") as entry:
        for _ in range(300):
            entry.write(bytes(1 << 20))
    return file.getvalue()


def _nifti(shape: tuple[int, int, int]) -> bytes:
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, *shape, 1, 1, 1, 1)
    struct.pack_into("<hh", head, 70, 16, 32)
    struct.pack_into("<4f", head, 76, 1, 1, 1, 1)
    struct.pack_into("<f", head, 108, 352)
    head[344:348] = b"n+1\0"
    return bytes(head)


def _endless_nifti() -> bytes:
    """A small volume, behind which a gigabyte of nothing is packed."""
    nothing = gzip.compress(bytes(1 << 24), mtime=0)
    return gzip.compress(_nifti((2, 2, 2)) + bytes(32), mtime=0) + nothing * 64


def _las() -> bytes:
    head = bytearray(227)
    head[:4], head[24], head[25], head[104] = b"LASF", 1, 2, 3
    struct.pack_into("<HII", head, 94, 227, 227, 0)
    struct.pack_into("<HI", head, 105, 34, 4_000_000_000)
    struct.pack_into("<3d", head, 131, 1, 1, 1)
    return bytes(head) + bytes(1000)


def _hdf5() -> bytes:
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        opened.create_dataset("xyz", shape=(HUGE // 24, 3), dtype="f8", chunks=(1 << 16, 3), compression="gzip")
    return file.getvalue()


def _mp4() -> bytes:
    kind = struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"isom")
    return kind + struct.pack(">I4sQ", 1, b"moov", 1 << 60) + bytes(64)


def _safetensors() -> bytes:
    head = {"w": {"dtype": "F32", "shape": [HUGE], "data_offsets": [0, 4 * HUGE]}, "__metadata__": {"intarsia": "{}"}}
    text = json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text


def _onnx() -> bytes:
    from onnx_made import network, write_onnx

    with tempfile.TemporaryDirectory() as folder:
        return write_onnx(Path(folder) / "a.onnx", network(external="../../etc/passwd")).read_bytes()


def _xml() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(12))
    return f"<?xml version='1.0'?><!DOCTYPE a [{entities}]><annotation><filename>&e11;</filename></annotation>".encode()


def _deep_xml() -> bytes:
    return b"<annotation>" + b"<a>" * 100_000


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros((1, 3)))
    return file.getvalue().replace(b"(1, 3), }          ", b"(9999999999, 3), } ")


def _jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG")
    content = bytearray(file.getvalue())
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = struct.pack(">HH", 65_000, 65_000)
    return bytes(content)


def all_bombs() -> list[Bomb]:
    """Every bomb."""
    return [
        Bomb("a.png", _png, _picture),
        Bomb("a.jpg", _jpeg, _picture),
        Bomb("a.tif", _tiff, _picture),
        Bomb("pages.tif", _pages, _picture),
        Bomb("stack.tif", _pages, _stack),
        Bomb("a.webp", _webp, _picture),
        Bomb("a.gif", _gif, _animation),
        Bomb("a.zip", _zip, _annotations),
        Bomb("a.xml", _xml, _annotations),
        Bomb("deep.xml", _deep_xml, _annotations),
        Bomb("a.nii", lambda: _nifti((1000, 1000, 2000)), _volume),
        Bomb("a.nii.gz", lambda: gzip.compress(_nifti((1000, 1000, 2000)), mtime=0), _volume),
        Bomb("endless.nii.gz", _endless_nifti, _volume, inside=True),
        Bomb("a.las", _las, _cloud),
        Bomb("a.npy", _npy, _cloud),
        Bomb("a.h5", _hdf5, _cloud),
        Bomb("a.mp4", _mp4, _video),
        Bomb("a.safetensors", _safetensors, _model),
        Bomb("a.onnx", _onnx, _model),
    ]


def campaign(folder: Path) -> list[Answer]:
    """Read every bomb in a child; each has to be refused, with little memory."""
    warm(light=True)
    return [_answer(bomb, folder / bomb.name) for bomb in all_bombs()]


def _answer(bomb: Bomb, path: Path) -> Answer:
    """Write and read a bomb, in children; twice, as libraries set themselves up the first time."""
    made, *_ = serve(lambda _: str(path.write_bytes(bomb.content())), [0])
    if made.end != "read":
        raise RuntimeError(f"{bomb.name}: {made.said}")
    *_, outcome = serve(lambda _: str(bomb.read(path)), [0, 1])
    return Answer(bomb.name, outcome, _faults(outcome, bomb.inside))


def _faults(outcome: Outcome, inside: bool) -> list[str]:
    found = [outcome.fault] if outcome.fault else []
    found += ["it was not refused"] if outcome.end == "read" and not inside else []
    found += [f"it took {outcome.memory / 1e6:.0f} MB"] if outcome.memory > MEMORY else []
    return [f"{fault}: {outcome.said[:300]}" for fault in found]
