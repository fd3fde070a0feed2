"""Which bundled model a look at a picture chooses: how many pictures of each real set get the model that is meant.

    INTARSIA_DATA=/folder/of/the/sets python benchmarks/choosing.py

Of each set, at most --most pictures count, spread over it; the first of every step was looked at when the rule was set,
so the one in the middle of it is taken. Sets that are absent are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from common import DATA, Row, arguments, report

from intarsia.errors import DataError
from intarsia.inference.choosing import OTHERWISE, Chooser, look

# The model that is meant, and where the photos of a set lie.
SETS: dict[str, tuple[str, str]] = {
    "varied people": ("person", "person_varied/images/*"),
    "whole bodies (CCP)": ("person", "clothes_ccp/images/*"),
    "pedestrians (Penn-Fudan)": ("person", "pedestrians/images/*"),
    "portraits": ("person", "portraits_public_domain/*/*.jpg"),
    "faces (CelebAMask-HQ)": ("person", "faces_celebamask/images/*"),
    "a person in a clip (DAVIS)": ("person", "davis_person/JPEGImages/480p/*/*"),
    "streets (CamVid)": (OTHERWISE, "camvid/val/*"),
    "roads (KITTI, TuSimple)": (OTHERWISE, "lanes/*/images/*"),
    "aerial": (OTHERWISE, "aerial_roads/images/*"),
    "things and animals in clips (DAVIS)": (OTHERWISE, "davis/JPEGImages/480p/*/*"),
    "clothes, some worn (CC0)": (OTHERWISE, "clothes_cc0/validation/*/*"),
    "slices of livers (CT)": (OTHERWISE, "liver_ct_slices/images/*"),
    "membranes (ISBI)": (OTHERWISE, "isbi_em/image/*"),
    "medieval books": ("handwriting", "handwriting/*/*.jp*g"),
    "wills": ("handwriting", "handwriting_wills/*.jp*g"),
    "registers": ("handwriting", "handwriting_registers/*.jp*g"),
}


def chosen(chooser: Chooser, files: list[Path]) -> Iterator[str]:
    """The model that each picture gets; what cannot be read as one is left out."""
    for file in files:
        try:
            yield chooser.choose(look(file)).model
        except DataError:
            continue


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--most", type=int, default=60, help="pictures of a set (default: 60)")
    options = parser.parse_args()
    chooser, rows = Chooser(), []
    for title, (meant, where) in SETS.items():
        files = sorted(DATA.glob(where))
        step = max(1, -(-len(files) // (10 if options.quick else options.most)))
        found = Counter(chosen(chooser, files[step // 2 :: step]))
        if not found:
            continue
        others = ", ".join(f"{count} {model}" for model, count in found.most_common() if model != meant)
        rows.append(
            Row(
                f"{title}, {found.total()} pictures", f"get {meant}", "%", 100 * found[meant] / found.total(),
                None, others, None,
            )
        )  # fmt: skip
    report("The model that a picture gets", rows, options.json, threads=1)


if __name__ == "__main__":
    main()
