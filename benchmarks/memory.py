"""Peak memory of `intarsia segment` on large sources of every medium, beside what --dry-run announces of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import Row, arguments, report

CLASSES = 19
_MB = 1e6


@dataclass(frozen=True)
class Case:
    """A large source.

    Attributes:
        name: in the table.
        write: writes it to a path.
        file: its name.
        model: "pictures", "volumes" or "clouds".
        options: of the command, besides source, model and place.
        bound: bytes that it is to stay below; 0 for none.
    """

    name: str
    write: Callable[[Path], None]
    file: str
    model: str
    options: Sequence[str] = ()
    bound: float = 0.0


def cases(quick: bool) -> list[Case]:
    """The sources; `quick`: small ones of the same kinds."""
    side, slices, points = (5000, 120, 3_000_000) if quick else (20_000, 600, 100_000_000)
    frames = (100, 300) if quick else (1000, 10_000)
    own = ("--long-side", "0")
    labels = (*own, "--write", "labels", "--write", "overlay")
    return [
        Case("pictures 4000x3000", write_pictures, "photos", "pictures", ("--long-side", "1024")),
        Case(f"raster {side}x{side}", lambda path: write_raster(path, side), "map.tif", "pictures", labels, 2**30),
        Case(
            f"raster {side}x{side}, with polygons", lambda path: write_raster(path, side), "map.tif", "pictures",
            (*labels, "--write", "polygons"), 2**30,
        ),
        Case(f"volume 512x512x{slices}", lambda path: write_volume(path, slices), "ct.nii.gz", "volumes"),
        *(
            Case(f"video 1920x1080, {count} frames", lambda path, n=count: write_video(path, n), f"{count}.mp4",
                 "pictures", ("--long-side", "256"))
            for count in frames
        ),
        Case(f"cloud of {points:,} points", lambda path: write_cloud(path, points), "tile.las", "clouds", (), 4e9),
    ]  # fmt: skip


def write_pictures(folder: Path) -> None:
    """Eight photos of twelve megapixels."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(8):
        small = Image.fromarray(random.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        small.resize((4000, 3000), Image.Resampling.BICUBIC).save(folder / f"{index}.jpg")


def write_raster(path: Path, side: int) -> None:
    """A smooth texture, tiled and compressed."""
    import cv2
    import numpy as np
    import rasterio

    step, cell = 1000, 40
    small = np.random.default_rng(0).integers(0, 256, (side // cell + 2, side // cell + 2, 3), dtype=np.uint8)
    profile = {"tiled": True, "compress": "deflate", "zlevel": 1, "photometric": "RGB", "crs": "EPSG:25832"}
    place = rasterio.Affine(0.2, 0, 500_000, 0, -0.2, 5_800_000)
    size = {"width": side, "height": side, "count": 3, "dtype": "uint8"}
    with (
        rasterio.Env(GDAL_CACHEMAX=64),
        rasterio.open(path, "w", driver="GTiff", transform=place, **size, **profile) as file,
    ):
        for top in range(0, side, step):
            rows = small[top // cell : (top + step) // cell + 1]
            shape = (rows.shape[1] * cell, rows.shape[0] * cell)
            band = cv2.resize(rows, shape, interpolation=cv2.INTER_LINEAR)[:step, :side]
            file.write(np.moveaxis(band, 2, 0), window=rasterio.windows.Window(0, top, side, len(band)))


def write_volume(path: Path, slices: int) -> None:
    """A compressed CT of 16 bits."""
    import nibabel
    import numpy as np

    x = np.arange(512, dtype=np.float32)[:, None, None]
    values = (500 * np.sin(x / 40 + np.arange(512)[None, :, None] / 60) + np.arange(slices) % 50).astype(np.int16)
    nibabel.Nifti1Image(values, np.diag([0.8, 0.8, 1.0, 1])).to_filename(path)


def write_video(path: Path, frames: int) -> None:
    """A moving texture."""
    import av
    import numpy as np

    picture = np.random.default_rng(0).integers(0, 256, (27, 48, 3), dtype=np.uint8).repeat(40, 0).repeat(40, 1)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "30"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 4 * (index % 100), axis=1), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def write_cloud(path: Path, points: int) -> None:
    """A landscape flown over strip by strip, ten points a square metre."""
    import laspy
    import numpy as np

    header = laspy.LasHeader(point_format=6, version="1.4")
    header.scales, header.offsets = (0.01,) * 3, (500_000, 5_800_000, 0)
    random, width, chunk = np.random.default_rng(0), 1000.0, 1_000_000
    with laspy.open(path, mode="w", header=header) as file:
        for start in range(0, points, chunk):
            count = min(chunk, points - start)
            y = 5_800_000 + (start + np.arange(count)) / (10 * width)
            x = 500_000 + random.random(count) * width
            record = laspy.ScaleAwarePointRecord.zeros(count, header=header)
            record.x, record.y = x, y
            record.z = 20 * np.sin(x / 90) * np.cos(y / 70) + 8 * (random.random(count) ** 8)
            record.intensity = random.integers(0, 4000, count)
            record.return_number = record.number_of_returns = np.ones(count, np.uint8)
            file.write_points(record)


def write_models(folder: Path) -> None:
    """Small networks of 19 classes, of pictures and of volumes, exported as one would to use them."""
    import torch

    import intarsia
    from intarsia.bundle import Bundle
    from intarsia.labels import LabelSpace
    from intarsia.models import build
    from intarsia.preprocessing import Preprocessing

    torch.manual_seed(0)
    options = {"encoder": "mobilenetv3_small_050", "channels": 32, "low_channels": 16}
    space = LabelSpace(tuple(f"class {index}" for index in range(CLASSES)))
    weights = build("deeplabv3plus", classes=CLASSES, **options).state_dict()
    for name, seen in (("pictures", Preprocessing()), ("volumes", Preprocessing(slices=3, window=(-600, 600)))):
        Bundle("deeplabv3plus", options, space, seen, weights).save(folder / f"{name}.safetensors")
        intarsia.export(folder / f"{name}.safetensors", folder / f"{name}.onnx")


def measured(
    case: Case, source: Path, model: str, folder: Path, chosen: Sequence[str]
) -> tuple[float, float, float, float | None]:
    """Announced bytes, bytes at the peak, seconds, and announced seconds of the network."""
    out = folder / "out"
    command = [sys.executable, "-m", "intarsia", "segment", str(source), "-m", model, "-o", str(out)]
    command += [*case.options, *chosen]
    for _ in "ab":  # the first one may have to choose the runtime, and holds what it has tried
        said = subprocess.run([*command, "--dry-run", "--json"], check=True, stdout=subprocess.PIPE).stdout
    told = json.loads(said)
    start = time.perf_counter()
    # The peak of a child counts from its parent's memory on, so a small process stands between.
    small = (
        "import os,subprocess,sys;p=subprocess.Popen(sys.argv[1:],stdout=2);"
        "_,s,u=os.wait4(p.pid,0);print('peak',s,u.ru_maxrss)"
    )
    process = subprocess.run([sys.executable, "-S", "-c", small, *command], check=True, stdout=subprocess.PIPE)
    status, peak = re.findall(rb"peak (\d+) (\d+)", process.stdout)[-1]
    if int(status):
        raise SystemExit(f"{' '.join(command)} failed")
    took = time.perf_counter() - start
    subprocess.run(["rm", "-r", str(out)], check=True)
    return told["expected"]["memory"], int(peak) * 1024.0, took, told["expected"]["seconds"]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--model", help="of pictures, instead of a small network of 19 classes")
    parser.add_argument("--runtime", choices=("onnx", "openvino", "torch"), help="that computes; default: the fastest")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if not options.model:
            subprocess.run([sys.executable, __file__, "--models", str(folder)], check=True, stdout=2)
        end = "safetensors" if options.runtime == "torch" else "onnx"
        models = {kind: str(folder / f"{kind}.{end}") for kind in ("pictures", "volumes")} | {
            "clouds": "airborne-lidar"
        }
        chosen = ("--runtime", options.runtime) if options.runtime else ()
        models |= {"pictures": options.model} if options.model else {}
        for index, case in enumerate(cases(options.quick)):
            if not case.name.startswith(options.only):
                continue
            source = folder / case.file
            if not source.exists():
                subprocess.run(
                    [sys.executable, __file__, "--write", str(index), str(options.quick), str(source)], check=True
                )
            announced, peak, took, expected = measured(case, source, models[case.model], folder, chosen)
            name = f"{case.name}, {options.runtime}" if options.runtime else case.name
            rows.append(Row(name, "peak RSS", "MB", peak / _MB, announced / _MB, "announced", announced / peak))
            if case.bound:
                rows.append(Row(name, "bound", "MB", peak / _MB, case.bound / _MB, "bound", case.bound / peak))
            rows.append(Row(name, "time", "s", took, expected, "announced, of the network", None))
            report(
                "intarsia segment",
                rows,
                options.json,
                threads=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)),
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        cases(sys.argv[3] == "True")[int(sys.argv[2])].write(Path(sys.argv[4]))
    elif sys.argv[1:2] == ["--models"]:
        write_models(Path(sys.argv[2]))
    else:
        main()
