"""The studio's modules without a page: types, edits, masks to and from Python, and their weight."""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from studio.programs import HERE, package, program
from studio.stub import STUDIO, mask_png, read_mask, scene

from intarsia.labels import LabelArray, LabelSpace

MOST_BYTES = 400_000


def test_types_are_strict() -> None:
    compiler = package("typescript") / "bin" / "tsc"
    done = subprocess.run([program("node"), str(compiler), "-p", str(HERE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_modules_do_what_plain_copies_do_and_masks_travel(tmp_path: Path) -> None:
    masks = write_masks(tmp_path)
    files = [str(file) for file in sorted((HERE / "unit").glob("*.test.mjs"))]
    done = subprocess.run(
        [program("node"), "--test", *files],
        env=os.environ | {"STUDIO_MASKS": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name, labels in masks.items():
        again = (tmp_path / f"{name}.again.png").read_bytes()
        np.testing.assert_array_equal(read_mask(again), labels)
        if labels.dtype == np.uint8:
            with Image.open(tmp_path / f"{name}.again.png") as image:
                assert image.mode == "P"
                assert image.getpalette()[:6] == [10, 11, 12, 255, 128, 0]  # type: ignore[index]


def test_the_page_is_light() -> None:
    files = [file for file in STUDIO.rglob("*") if file.is_file()]
    weights = {file.relative_to(STUDIO).as_posix(): len(gzip.compress(file.read_bytes(), mtime=0)) for file in files}
    total = sum(weights.values())
    print(f"{total / 1000:.0f} KB compressed; the heaviest: {sorted(weights.items(), key=lambda each: -each[1])[:5]}")
    assert total <= MOST_BYTES


def test_nothing_comes_from_elsewhere_and_nothing_is_inline() -> None:
    for file in STUDIO.rglob("*"):
        if file.suffix not in {".html", ".css", ".js"}:
            continue
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text, file
        if file.suffix == ".html":
            assert " style=" not in text and " onclick=" not in text and "<style" not in text, file
        if file.suffix == ".js":
            assert "innerHTML" not in text and "eval(" not in text, file


def write_masks(folder: Path) -> dict[str, LabelArray]:
    """Masks by our writer, by Pillow, and by hand with each of PNG's filters; their raw labels beside them."""
    generator = np.random.default_rng(0)
    small, wide = LabelSpace(("a", "b", "c", "d", "e")), LabelSpace(tuple(f"class {i}" for i in range(300)))
    noise = generator.integers(0, 256, (61, 83), dtype=np.uint8)
    labels16 = generator.integers(0, 300, (41, 57)).astype(np.uint16)
    masks: dict[str, LabelArray] = {"ours": scene(200, 130), "ours16": labels16, "pillow": noise, "pillow16": labels16}
    (folder / "ours.png").write_bytes(mask_png(masks["ours"], small))
    (folder / "ours16.png").write_bytes(mask_png(labels16, wide))
    Image.fromarray(noise).save(folder / "pillow.png")
    Image.fromarray(labels16).save(folder / "pillow16.png")
    for kind in range(5):
        for labels in (noise, labels16):
            bits = 8 * labels.dtype.itemsize
            masks[f"filter{kind}of{bits}"] = labels
            (folder / f"filter{kind}of{bits}.png").write_bytes(filtered_png(labels, kind))
    for name, labels in masks.items():
        (folder / f"{name}.raw").write_bytes(labels.astype(labels.dtype.newbyteorder("<")).tobytes())
    known = [
        {"name": name, "width": labels.shape[1], "height": labels.shape[0], "bits": 8 * labels.dtype.itemsize}
        for name, labels in masks.items()
    ]
    (folder / "known.json").write_text(json.dumps(known), encoding="utf-8")
    return masks


def filtered_png(labels: LabelArray, kind: int) -> bytes:
    """A grey PNG whose rows all have one filter, with transparency and the data in three chunks."""
    height, width = labels.shape
    step = labels.dtype.itemsize
    rows = labels.astype(labels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, width * step).astype(np.int16)
    left, up, corner = np.zeros_like(rows), np.zeros_like(rows), np.zeros_like(rows)
    left[:, step:], up[1:], corner[1:, step:] = rows[:, :-step], rows[:-1], rows[:-1, :-step]
    guess = [np.zeros_like(rows), left, up, (left + up) // 2, paeth(left, up, corner)][kind]
    lines = np.empty((height, width * step + 1), np.uint8)
    lines[:, 0], lines[:, 1:] = kind, (rows - guess) & 255
    body = zlib.compress(lines.tobytes())
    third = len(body) // 3
    parts = [body[:third], body[third : 2 * third], body[2 * third :]]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * step, 0, 0, 0, 0)), (b"tRNS", b"\0\1")]
    chunks += [(b"IDAT", part) for part in parts] + [(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def paeth(left: NDArray[np.int16], up: NDArray[np.int16], corner: NDArray[np.int16]) -> NDArray[np.int16]:
    """Paeth's predictor."""
    estimate = left + up - corner
    distances = [abs(estimate - each) for each in (left, up, corner)]
    guess: NDArray[np.int16] = np.where(
        (distances[0] <= distances[1]) & (distances[0] <= distances[2]),
        left,
        np.where(distances[1] <= distances[2], up, corner),
    )
    return guess
