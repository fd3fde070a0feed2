"""What handwriting takes for pages of writing: of labelled pages all, of photos of other things none, is right.

    python benchmarks/uses_pages.py --json pages.json

Needs sets in $INTARSIA_DATA: pages of three kinds, and photos of clothes, people, faces, streets, roofs and tissue,
some of each, spread evenly. The limits were set on the pages and on other photos of the same sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from common import DATA, Row, arguments, report

import intarsia
from intarsia.apps.handwriting import LineFinder
from intarsia.media.medium import PICTURE, medium_of

PAGES = ("handwriting", "handwriting_registers", "handwriting_wills")
OTHERS = (
    "aerial_roads/images", "camvid/train", "clothes_ccp/images", "clothes_cc0/train", "faces_celebamask/images",
    "isbi_em/image", "liver_ct_slices/images", "pedestrians/images", "person_varied/images",
    "portraits_public_domain/images",
)  # fmt: skip
EACH, FEW = 6, 2
"""Photos of each set of other things."""


def spread(folder: Path, count: int | None) -> list[Path]:
    """So many pictures of a folder and those below, from the second on; None: all."""
    files = sorted(file for file in folder.rglob("*") if file.suffix in (".jpg", ".png", ".webp", ".tif"))
    return files if count is None else files[1 :: max(1, len(files) // count)][:count]


def taken(finder: LineFinder, files: list[Path]) -> Iterator[bool]:
    """Tell of each picture whether it is taken for a page."""
    for file in files:
        reader = medium_of(file, media=(PICTURE,)).open(file, finder.preprocessing, {})
        yield finder.segment_opened(reader).is_writing


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    options = parser.parse_args()
    finder = LineFinder(intarsia.load("handwriting"))
    rows = []
    for kind, folders, count in (("pages", PAGES, None), ("other photos", OTHERS, EACH)):
        files = {name: spread(DATA / name, FEW if options.quick else count) for name in folders}
        found = {name: sum(taken(finder, few)) for name, few in files.items()}
        rows += [
            Row(name, f"taken for pages, of {len(files[name])}", "", found[name], None, "", None) for name in found
        ]
        every = sum(len(few) for few in files.values())
        share = 100 * sum(found.values()) / max(every, 1)
        rows.append(Row(kind, f"taken for pages, of all {every}", "%", share, None, "", None))
    report("Pages and other photos", rows, options.json, threads=1)


if __name__ == "__main__":
    main()
