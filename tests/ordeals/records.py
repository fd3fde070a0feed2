"""What jobs, trainings and projects remember, and tables of data sets."""

from __future__ import annotations

import importlib.util
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ordeals.pictures import scene
from ordeals.targets import Target, digest
from PIL import Image


def _manifest(folder: Path) -> Path:
    """A finished job of two photos, which only the manifest tells of."""
    from jobs_made import job
    from threshold import threshold

    (folder / "photos").mkdir()
    for number in range(2):
        Image.fromarray(scene(number)).save(folder / "photos" / f"{number}.jpg")
    job(threshold(), folder / "photos", folder / "out", outputs=("labels",))
    return folder


def _read_manifest(path: Path) -> str:
    """Continue the job, and see what is there in the end."""
    from jobs_made import job
    from threshold import threshold

    with tempfile.TemporaryDirectory() as place:
        folder = shutil.copytree(path, Path(place) / "copy")
        result = job(threshold(), folder / "photos", folder / "out", outputs=("labels",))
        masks = sorted((folder / "out").glob("*.png"))
        return digest(*(part for mask in masks for part in (mask.name, mask.read_bytes())), sorted(result.failures))


def _log(folder: Path) -> Path:
    rows = [{"step": step, "epoch": step / 4, "loss": 1 / step, "miou": 0.5} for step in range(1, 6)]
    lines = ["step,epoch,loss,miou", *(",".join(map(str, row.values())) for row in rows)]
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    return folder / "log.csv"


def _read_log(path: Path) -> str:
    from intarsia.reports.curves import chart, read_log

    curves = read_log(path)
    return repr((curves, [chart(name, {name: points}) for name, points in curves.items()]))


def _project(folder: Path) -> Path:
    from intarsia.labels import LabelSpace
    from intarsia.serving.project.classes import Classes
    from intarsia.serving.project.document import Document, Stored

    space = LabelSpace(("road", "sky"))
    classes = Classes.of(space, chosen=True)
    Stored(folder / "project.json").start(lambda: Document("data", classes, space, {"a": "b"}))
    return folder / "project.json"


def _read_project(path: Path) -> str:
    from intarsia.serving.project.document import Stored

    return repr(Stored(path).read())


def _mat(folder: Path) -> Path:
    from scipy.io import savemat

    savemat(folder / "a.mat", {"S": scene()[..., 0] % 7}, do_compression=True)
    return folder / "a.mat"


def _read_mat(path: Path) -> str:
    from intarsia.datasets.matfile import read_mat

    return digest(read_mat(path, "S"))


def _parquet(folder: Path) -> Path:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    def encoded(values: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(values).save(buffer, "PNG")
        return buffer.getvalue()

    rows = {
        "image": [{"bytes": encoded(scene(seed)), "path": f"{seed}.png"} for seed in range(3)],
        "mask": [{"bytes": encoded(scene(seed)[..., 0] % 3), "path": None} for seed in range(3)],
    }
    pq.write_table(pa.table(rows), folder / "a.parquet")
    return folder / "a.parquet"


def _read_parquet(path: Path) -> str:
    from intarsia.datasets import open_dataset

    data = open_dataset(path, val_fraction=0)
    (split,) = data.splits.values()
    return digest(*(part for index in range(len(split)) for part in split.read(index)))


def _mask_folder(folder: Path) -> Path:
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    for number in range(2):
        Image.fromarray(scene(number)).save(folder / "images" / f"{number}.png")
        Image.fromarray(scene(number)[..., 0] % 2).save(folder / "masks" / f"{number}.png")
    (folder / "classes.json").write_text(json.dumps(["sky", "road"]))
    return folder


def _read_folder(path: Path) -> str:
    from intarsia.datasets import open_dataset

    data = open_dataset(path, val_fraction=0)
    return digest(
        *(part for split in data.splits.values() for index in range(len(split)) for part in split.read(index))
    )


def targets() -> Iterator[Target]:
    """Every form of record and table."""
    yield Target("manifest.jsonl", _manifest, _read_manifest, sealed=True, only="manifest.jsonl")
    yield Target("log.csv", _log, _read_log, whole=False)
    yield Target("data-folder", _mask_folder, _read_folder, whole=False)
    if importlib.util.find_spec("fastapi"):
        yield Target("project.json", _project, _read_project, whole=False)
    if importlib.util.find_spec("scipy"):
        yield Target("labels.mat", _mat, _read_mat)
    if importlib.util.find_spec("pyarrow"):
        yield Target("table.parquet", _parquet, _read_parquet, greed=4 << 30)  # which Arrow reserves
