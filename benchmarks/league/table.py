"""Make the league's page, docs/league.md, from the results that lie in benchmarks/results/league.json.

    python benchmarks/league/table.py [--gather WORK]

With ``--gather`` the cells of a run's folder are joined into that file first.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS, PAGE = ROOT / "benchmarks/results/league.json", ROOT / "docs/league.md"
BEGIN, END = "<!-- made by benchmarks/league/table.py -->", "<!-- end of what is made -->"
SETS = {
    "camvid": "CamVid", "isbi_em": "ISBI EM", "liver_ct_slices": "Liver", "person_varied": "Persons",
    "aerial_roads": "Roads", "clothes_ccp": "Clothes", "handwriting_wills": "Handwriting",
}  # fmt: skip
NAMES = {
    "intarsia": "`intarsia train`", "smp": "smp", "torchvision": "torchvision", "nnunet": "nnU-Net 2-D",
    "ultralytics": "Ultralytics", "forest": "pixel forest",
}  # fmt: skip

Cell = dict[str, Any]


def gather(work: Path) -> list[Cell]:
    """The cells of a run's folder."""
    return [json.loads(file.read_text()) for file in sorted((work / "results").glob("*.json"))]


def tables(cells: Sequence[Cell]) -> str:
    """The part of the page that is made."""
    dates = sorted({cell["date"] for cell in cells})
    budgets = sorted({cell["minutes"] for cell in cells})
    cores = sorted({cell["cores"] for cell in cells})
    machines = sorted({cell["machine"] for cell in cells})
    told = " and ".join(f"{budget:g}" for budget in budgets)
    parts = [
        f"Measured {' to '.join(dates)} on {', '.join(machines)}: {told} minutes of "
        f"{' and '.join(map(str, cores))} core{'s' if cores != [1] else ''} for each entrant and set.",
        _places(cells),
        "**Mean IoU at the pictures' own size** (the best of a column in bold; – was not run):",
        _by_set(cells, "miou"),
        "**F1 of boundaries** (within 0.75 % of the diagonal, mean over classes and pictures):",
        _by_set(cells, "boundary_f1"),
        "**What else there is to tell** (medians over the sets):",
        _facts(cells),
        "**By the peer's own convention** (not comparable between rows):",
        _by_set(cells, "own", names=True),
    ]
    return "\n\n".join(parts)


def _places(cells: Sequence[Cell]) -> str:
    shared = [name for name in SETS if sum(cell["set"] == name for cell in cells) > 1]
    firsts = [name for name in shared if _best(cells, name, "miou") == "intarsia"]
    return (
        f"`intarsia train` is first on {len(firsts)} of {len(shared)} sets by mean IoU"
        + (f" ({', '.join(SETS[name] for name in firsts)})" if firsts else "")
        + "."
    )


def _best(cells: Sequence[Cell], name: str, key: str) -> str:
    return str(max((cell for cell in cells if cell["set"] == name), key=lambda cell: float(cell[key]))["entrant"])


def _by_set(cells: Sequence[Cell], key: str, *, names: bool = False) -> str:
    rows = [_row(["entrant", *(["convention"] if names else []), *SETS.values()])]
    rows.append(_row(["---"] * (len(SETS) + 1 + names)))
    for entrant, shown in NAMES.items():
        of = {cell["set"]: cell for cell in cells if cell["entrant"] == entrant}
        if not of:
            continue
        values = []
        for name in SETS:
            text = f"{of[name][key]:.3f}" if name in of else "–"
            first = name in of and not names and _best(cells, name, key) == entrant
            values.append(f"**{text}**" if first else text)
        rows.append(_row([shown, *([next(iter(of.values()))["own_name"]] if names else []), *values]))
    return "\n".join(rows)


def _facts(cells: Sequence[Cell]) -> str:
    heads = ["entrant", "first mask after", "processor time", "lines of code", "size on disk without PyTorch"]
    rows = [_row(heads), _row(["---"] * len(heads))]
    for entrant, shown in NAMES.items():
        of = [cell for cell in cells if cell["entrant"] == entrant]
        if not of:
            continue
        computed = [cell["cpu_seconds"] for cell in of if "cpu_seconds" in cell]
        rows.append(
            _row(
                [
                    shown, f"{_middle([cell['first_result_seconds'] for cell in of]):.0f} s",
                    f"{_middle(computed):.0f} s" if computed else "–",
                    "2 commands" if entrant == "intarsia" else str(of[0]["lines"]), f"{of[0]['megabytes']:.0f} MB",
                ]
            )
        )  # fmt: skip
    return "\n".join(rows)


def _row(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gather", type=Path, metavar="WORK", help="folder of a run of the league")
    options = parser.parse_args()
    if options.gather:
        RESULTS.write_text(json.dumps(gather(options.gather), indent=1) + "\n")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    made = tables(json.loads(RESULTS.read_text()))
    PAGE.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
