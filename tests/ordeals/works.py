"""What keeps state, in forms so small that each can be killed hundreds of times."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ordeals.kills import Work
from ordeals.pictures import scene
from ordeals.targets import digest
from PIL import Image

_MANIFEST = "manifest.jsonl"


def intarsia(*arguments: str | Path) -> int:
    """Run a command in this process, as the shell does."""
    from intarsia.cli.main import main

    return main([*map(str, arguments)])


def told(call: Callable[[], int | None]) -> int:
    """Call something of the package, and end as a command does that calls it."""
    from intarsia.errors import IntarsiaError
    from intarsia.failures import explained

    try:
        return call() or 0
    except Exception as error:
        known = error if isinstance(error, IntarsiaError) else explained(error)
        if known is None:
            raise
        print(f"Error: {known}", file=sys.stderr)
        return known.exit_code


def tree(folder: Path, *, but: tuple[str, ...] = ()) -> str:
    """Every file below a folder with a checksum of what it holds; temporary and hidden ones count, too."""
    files = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return "\n".join(f"{name} {content(path)}" for name, path in files.items() if name.parts[0] not in but)


def content(path: Path) -> str:
    """What a file holds, but for what differs from run to run: seconds, and the marks that video files carry."""
    if path.name == _MANIFEST:
        return repr(sorted(_last_lines(path).items()))
    if path.suffix in (".mkv", ".mp4"):
        from intarsia.media.video import open_video

        return digest(*(frame.image for frame in open_video(path)))
    return digest(path.read_bytes())


def _last_lines(path: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in path.read_text().splitlines() if _is_json(line)]
    keys = ("status", "error", "outputs", "size", "areas")
    return {line["id"]: repr([line[key] for key in keys]) for line in lines}


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:  # a kill has torn it; the job has done that source again
        return False
    return True


def _segment(name: str, make: Callable[[Path], Any], *options: str, model: str = "net.onnx") -> Work:
    """Segmenting sources of one medium; what `make` writes lies in photos/."""

    def prepare(folder: Path) -> None:
        (folder / "photos").mkdir()
        make(folder / "photos")
        _write_model(folder / model, name)

    def run(folder: Path) -> int:
        return intarsia("segment", folder / "photos", "-m", folder / model, "-o", folder / "out", *options)

    def found(folder: Path) -> str:
        return tree(folder / "out")

    media = tuple(f"out/**/*{suffix}" for suffix in (".png", ".jpg", ".tif", ".nii.gz", ".las", ".json"))
    return Work(f"segment-{name}", prepare, run, found, seen=media, heavy=name != "pictures")


def _write_model(path: Path, medium: str) -> None:
    from intarsia.bundle import Bundle, Description
    from intarsia.labels import LabelSpace
    from intarsia.preprocessing import CloudPreprocessing, Preprocessing

    if path.suffix == ".onnx":
        from onnx_made import PLAIN, SPACE, write_onnx

        volumes = Preprocessing(mean=(0.5,) * 3, std=(0.2,) * 3, slices=3, window=(0.0, 100.0))
        write_onnx(path, description=Description("made", {}, SPACE, volumes if medium == "volumes" else PLAIN))
        return
    import torch

    from intarsia.models import build

    torch.manual_seed(0)
    model = build("pointnet_scene", classes=2, in_channels=3)
    settings = CloudPreprocessing(features=(), block=8.0, points=64)
    space = LabelSpace(("ground", "building"))
    Bundle("pointnet_scene", {"in_channels": 3}, space, settings, model.state_dict()).save(path)


def _photos(folder: Path, count: int = 6) -> None:
    for number in range(count):
        Image.fromarray(np.tile(scene(number), (4, 4, 1))).save(folder / f"{number}.png")


def _rasters(folder: Path) -> None:
    from ordeals.grids import write_raster

    for number in range(3):
        write_raster(folder / f"{number}.tif", compress="deflate")


def _volumes(folder: Path) -> None:
    from ordeals.grids import VALUES
    from volumes_made import write_nifti

    for number in range(3):
        write_nifti(folder / f"{number}.nii.gz", VALUES + number)


def _videos(folder: Path) -> None:
    from filmed import moving_squares, write_clip

    for number in range(2):
        write_clip(folder / f"{number}.mp4", moving_squares(12 + number))


def _clouds(folder: Path) -> None:
    from ordeals.clouds import write_cloud

    for number in range(3):
        write_cloud(folder / f"{number}.las")


def _convert(to: str, out: str) -> Work:
    """Converting annotations into one file, or a folder of them."""

    def prepare(folder: Path) -> None:
        from ordeals.annotations import make

        for number in range(8):
            (folder / "from" / str(number)).mkdir(parents=True)
            make("labelme", folder / "from" / str(number))

    def run(folder: Path) -> int:
        return intarsia("annotations", "convert", folder / "from", "-o", folder / out, "--to", to, "--overwrite")

    def found(folder: Path) -> str:
        return tree(folder, but=("from",))

    return Work(f"annotations-convert-{to}", prepare, run, found, seen=(out, f"{out}/**/*.png"), heavy=to != "masks")


def _fetch() -> Work:
    """Fetching and unpacking an archive from a server that is a part of the process."""

    def prepare(folder: Path) -> None:
        import zipfile

        with zipfile.ZipFile(folder / "set.zip", "w") as archive:
            for number in range(40):
                archive.writestr(f"photos/{number}.bin", np.random.default_rng(number).bytes(20_000))

    def run(folder: Path) -> int:
        from dataclasses import replace

        from ordeals.server import serving

        from intarsia.datasets.catalogue import entry
        from intarsia.datasets.download import get
        from intarsia.datasets.public import Download

        if (folder / "out" / "photos").is_dir() and not (folder / "out" / "set.zip").exists():
            return 0  # it was complete: the archive goes last
        with serving(folder) as address:
            archive = (folder / "set.zip").read_bytes()
            known = Download(f"{address}/set.zip", "set.zip", len(archive), hashlib.md5(archive).hexdigest())
            asked = replace(entry("camvid"), downloads=(known,))
            return told(lambda: (get(asked, folder / "out"), 0)[1])

    def found(folder: Path) -> str:
        return tree(folder / "out")

    return Work("data-get", prepare, run, found, seen=("out/photos/*.bin", "out/set.zip"))


def _pack() -> Work:
    """Packing labelled pictures into archives; what a kill has left goes before it is done again, as the error says."""

    def prepare(folder: Path) -> None:
        from intarsia.datasets.synthetic import write_scenes

        write_scenes(folder / "scenes", 6, (40, 56))

    def run(folder: Path) -> int:
        shutil.rmtree(folder / "out", ignore_errors=True)
        return intarsia("data", "pack", folder / "scenes", "-o", folder / "out", "--per-shard", "2")

    return Work("data-pack", prepare, run, lambda folder: tree(folder / "out"), seen=("out/*",))


def _train() -> Work:
    def prepare(folder: Path) -> None:
        from intarsia.datasets.synthetic import write_scenes

        write_scenes(folder / "scenes", 6, (40, 56))

    def run(folder: Path) -> int:
        from tiny import TINY

        # At first as it is; what was begun goes on by the same command with --resume.
        again = ["--resume"] if (folder / "run").exists() else []
        changes = (*TINY, "training.checkpoint_every=1", "training.batch_size=2", "input.crop=[32, 32]")
        sets = [part for change in changes for part in ("--set", change)]
        return intarsia("train", folder / "scenes", "--out", folder / "run", *again, *sets)

    def found(folder: Path) -> str:
        from intarsia.bundle import Bundle

        state = Bundle.load(folder / "run" / "last.safetensors").state
        rows = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
        plain = [{key: row[key] for key in sorted(row) if key not in ("images_per_second", "waiting")} for row in rows]
        return digest(*(part for name in sorted(state) for part in (name, state[name].numpy())), plain)

    def whole(path: Path) -> str:
        from intarsia.bundle import safetensorsfile

        return repr(sorted(safetensorsfile.metadata(path)))

    return Work("train", prepare, run, found, whole=whole, seen=("run/*.safetensors",), heavy=True)


def _export(name: str, *options: str) -> Work:
    """Exporting a bundle into one file, or into OpenVINO's two; what is labelled is calibrated on and measured."""

    def prepare(folder: Path) -> None:
        from networks import PLAIN
        from small import small

        from intarsia.bundle import Bundle
        from intarsia.datasets.synthetic import write_scenes
        from intarsia.labels import LabelSpace

        write_scenes(folder / "calibrate", 2, (32, 40))
        write_scenes(folder / "verify", 2, (32, 40), seed=1)
        space = LabelSpace(tuple((folder / "verify" / "classes.txt").read_text().split()))
        state = dict(small("unet_original", classes=len(space)).state_dict())
        Bundle("unet_original", {"in_channels": 3, "width": 4}, space, PLAIN, state).save(folder / "a.safetensors")

    def run(folder: Path) -> int:
        given = [folder / option if option in ("calibrate", "verify") else option for option in options]
        return intarsia("export", folder / "a.safetensors", "-o", folder / name, "--overwrite", *given)

    def found(folder: Path) -> str:
        return tree(folder, but=("calibrate", "verify"))

    precision = options[1] if options else "fp32"
    beside = str(Path(name).with_suffix(".bin"))
    return Work(f"export{Path(name).suffix}-{precision}", prepare, run, found, seen=(name, beside), heavy=True)


def all_works() -> dict[str, Work]:
    """Every work by name; those whose library is not installed are left out."""
    works: list[Work] = [_segment("pictures", _photos, "--write", "labels", "--write", "overlay")]
    if importlib.util.find_spec("rasterio"):
        works.append(_segment("rasters", _rasters, "--write", "labels"))
    if importlib.util.find_spec("nibabel"):
        works.append(_segment("volumes", _volumes, "--write", "labels"))
    if importlib.util.find_spec("av"):
        works.append(_segment("videos", _videos, "--write", "overlay", "--write", "labels"))
    works += [_convert("coco", "out.json"), _convert("masks", "out"), _fetch(), _pack()]
    if importlib.util.find_spec("fastapi"):
        from ordeals.servings import served, studied

        works += [served(), studied()]
    if importlib.util.find_spec("torch"):
        works += [_segment("clouds", _clouds, "--write", "labels", model="net.safetensors"), _train()]
        works.append(_export("a.onnx"))
        if importlib.util.find_spec("nncf"):
            data = ("--calibrate", "calibrate", "--verify", "verify", "--max-drop", "100")
            works += [_export("a.xml"), _export("a.xml", "--precision", "int8", *data)]
    return {work.name: work for work in works}
