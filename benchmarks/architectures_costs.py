"""What the networks of `architectures.py` cost: parameters, and multiply-accumulates at 240x180; counted, so exact."""

from __future__ import annotations

from architectures import ENTRIES, LONG_SIDE, Entry
from common import Row, arguments, report

from intarsia.models import build
from intarsia.models.cost import gmacs, parameters

CLASSES, SIZE = 11, (LONG_SIDE * 3 // 4, LONG_SIDE)


def costs(entry: Entry) -> list[Row]:
    """Both of one network, whose weights are random: they do not matter here."""
    model = build(entry.architecture, classes=CLASSES, **entry.options).eval()
    return [
        Row(entry.name, "parameters", "", parameters(model), None, "", None),
        Row(entry.name, f"GMAC at {SIZE[1]}x{SIZE[0]}", "", gmacs(model, SIZE), None, "", None),
    ]


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    entries = ENTRIES[:1] if options.quick else ENTRIES
    report("Architectures", [row for entry in entries for row in costs(entry)], options.json, threads=1)


if __name__ == "__main__":
    main()
