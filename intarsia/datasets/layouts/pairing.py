"""Finding the files of a data set and which mask belongs to which image, by folder and file names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from intarsia.datasets.layouts.filenames import (
    MARKS,
    MASK_NAMES,
    MASK_SUFFIXES,
    Found,
    classify,
    folder_meaning,
    natural,
    stem_key,
    walk,
)
from intarsia.datasets.parts import File, by_page
from intarsia.errors import DataError
from intarsia.media.dicom import is_series
from intarsia.media.images import IMAGE_SUFFIXES

# What `intarsia segment` leaves beside labels, by how the names end; see `jobs.outputs`.
_BESIDE_LABELS = (".overlay", ".colors", ".outlines", ".alpha", ".confidence", ".probabilities", ".instances")
_PACKED = {".npz": ".npy", ".mat": ".png", ".h5": ".npy", ".hdf5": ".npy", ".pkl": ".npy", ".pt": ".npy"}
_VECTORS = (".geojson", ".shp", ".gpkg", ".kml", ".fgb")


@dataclass(frozen=True)
class Pairs:
    """Matched (split or None, id, image, mask), the leftovers, and what was decided."""

    matched: tuple[tuple[str | None, str, File, File], ...]
    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    notes: tuple[str, ...]


def pair(root: Path, found: list[Found], notes: Sequence[str] = ()) -> Pairs:
    """Match pictures into images and masks.

    Args:
        root: the data set's folder.
        found: the pictures with their roles, see `classified`.
        notes: what was decided before.

    Raises:
        DataError: no image has a mask; says what was found instead.
    """
    said = list(notes)
    if any(item.role == "mask" for item in found) and any(item.role == "image" for item in found):
        outside = [item for item in found if item.role is None]
        if outside:
            said.append(f"Pictures outside the image and mask folders, not used: {len(outside)}.")
            found = [item for item in found if item.role]
    images = [item for item in found if item.role != "mask" and item.path.suffix.lower() in IMAGE_SUFFIXES]
    masks = [item for item in found if item.role == "mask"]

    matched: list[tuple[str | None, str, File, File]] = []
    for key, exact in _KEYS:
        images, masks = _match(images, masks, key, exact, matched, said, root)
    images, masks = _match_cores(images, masks, matched, said, root)
    matched = [page for entry in matched for page in _pages(entry)]
    matched.sort(key=lambda entry: natural(entry[1]))
    pairs = Pairs(tuple(matched), tuple(i.path for i in images), tuple(m.path for m in masks), tuple(said))
    if not matched:
        raise DataError(_nothing_matched(root, pairs))
    return pairs


def _match_cores(
    images: list[Found],
    masks: list[Found],
    matched: list[tuple[str | None, str, File, File]],
    notes: list[str],
    root: Path,
) -> tuple[list[Found], list[Found]]:
    """Match what is left by names without what all images, and all masks, begin and end with: a_P.png to a.png.

    Only where each of these masks finds an image: numbers that count from 0 here and from 1 there are not shifted.
    """
    own = cores(images) | cores(masks)

    def key(item: Found) -> Hashable:
        return item.split, own[item.path]

    there = {key(item) for item in images}
    if not masks or any(key(item) not in there for item in masks):
        return images, masks
    before = len(matched)
    left = _match(images, masks, key, False, matched, notes, root)
    if len(matched) > before:
        image, mask = matched[-1][2:]
        notes.append(
            f"Names are matched without what all of them share: {relative(Path(str(image)), root)} belongs to "
            f"{relative(Path(str(mask)), root)}."
        )
    return left


def cores(items: Sequence[Found]) -> dict[Path, str]:
    """The stems of pictures (lower case) without what all of one split begin and end with; see `core_names`."""
    found: dict[Path, str] = {}
    for split in {item.split for item in items}:
        members = [item for item in items if item.split == split]
        found |= dict(zip([one.path for one in members], core_names([one.stem for one in members]), strict=True))
    return found


def core_names(stems: Sequence[str]) -> list[str]:
    """Names without the first and last words that all of them share: 01_manual1, 02_manual1 -> 01, 02."""
    low = [stem.casefold() for stem in stems]
    if len(low) < 2:
        return low
    start = _shared_start(low)
    end = len(_shared_start([stem[len(start) :][::-1] for stem in low]))
    found = [stem[len(start) : len(stem) - end] for stem in low]
    return found if all(found) else low


def _shared_start(names: list[str]) -> str:
    """What all names begin with, up to a mark or to a change between letters and digits in all of them."""
    shared, last = min(names), max(names)  # what these two share, all between them do
    while not last.startswith(shared):
        shared = shared[:-1]
    while shared and not (
        shared[-1] in MARKS
        or all(
            len(name) > len(shared)
            and (name[len(shared)] in MARKS or name[len(shared)].isdigit() != shared[-1].isdigit())
            for name in names
        )
    ):
        shared = shared[:-1]
    return shared


def _pages(entry: tuple[str | None, str, File, File]) -> list[tuple[str | None, str, File, File]]:
    """A match, page by page where image and mask are stacks."""
    split, name, *files = entry
    pages = by_page((files[0], files[1]))
    if len(pages) == 1:
        return [entry]
    digits = len(str(len(pages)))
    return [(split, f"{name}/{number:0{digits}d}", *page) for number, page in enumerate(pages, start=1)]


def pair_masks(
    predictions: Path,
    targets: Path,
    *,
    suffixes: tuple[str, ...] = MASK_SUFFIXES,
    stem: Callable[[Path], str] = lambda path: path.stem,
) -> Pairs:
    """Match the masks of two folders: by their place in the folder and name, or by a name that is unique in both.

    Words such as "_mask" or "label_" in names, and folders that only say "masks" or "val", are looked through.

    Args:
        predictions: a folder; what `intarsia segment` left in it besides labels is passed over. Or a single mask.
        targets: another; or a single mask, whatever its name.
        suffixes: of masks.
        stem: a file's name without its suffix.

    Returns:
        The true masks in place of images, the predictions in place of masks.

    Raises:
        DataError: a folder is missing, holds no picture, or no names match.
    """
    if predictions.is_file() and targets.is_file():
        return Pairs(((None, stem(targets), targets, predictions),), (), (), ())
    sides = []
    for root in (predictions, targets):
        if not root.is_dir():
            raise DataError(
                f"{root}: {'is a file, the other side a folder' if root.exists() else 'no such file or folder'}"
            )
        files = [path for path in walk(root) if path.name.lower().endswith(suffixes)]
        files = [path for path in files if not stem(path).endswith(_BESIDE_LABELS)]
        if not files:
            raise DataError(f"{root}: no masks in this folder (looked for {', '.join(suffixes)} files)")
        found = [replace(classify(path, root), stem=stem(path)) for path in files]
        # Of a whole data set, the photos are no masks.
        has_masks = any(one.role == "mask" for one in found)
        sides.append([replace(one, role="mask") for one in found if not (has_masks and one.role == "image")])
    found, true = sides
    matched: list[tuple[str | None, str, File, File]] = []
    notes: list[str] = []
    for key, exact in _KEYS:
        true, found = _match(true, found, key, exact, matched, notes, targets, kinds=("mask", "mask"))
    matched.sort(key=lambda entry: natural(entry[1]))
    if not matched:
        raise DataError(
            f"no mask in {predictions} has the name of one in {targets}: for instance "
            f"{relative(found[0].path, predictions)} and {relative(true[0].path, targets)}"
        )
    return Pairs(tuple(matched), tuple(i.path for i in true), tuple(m.path for m in found), tuple(notes))


def _case(item: Found) -> Hashable:
    """The folder of an image, and of a mask that is called just "label": one case lies in it."""
    return item.path.parent if item.role == "image" or item.stem.lower() in MASK_NAMES else item.path


# From strict to loose; a loose rule only sees what the stricter ones left over. The flag says that several images
# for one mask are the same picture in two formats, rather than different pictures with the same name.
_KEYS: tuple[tuple[Callable[[Found], Hashable], bool], ...] = (
    (lambda item: (item.split, item.folders, item.stem), True),
    (lambda item: (item.split, item.folders, stem_key(item)), False),
    (lambda item: (item.split, stem_key(item)), False),
    (lambda item: stem_key(item), False),
    (lambda item: _case(item), False),
)


def _match(
    images: list[Found],
    masks: list[Found],
    key: Callable[[Found], Hashable],
    exact: bool,
    matched: list[tuple[str | None, str, File, File]],
    notes: list[str],
    root: Path,
    kinds: tuple[str, str] = ("image", "mask"),
) -> tuple[list[Found], list[Found]]:
    by_key: dict[Hashable, tuple[list[Found], list[Found]]] = defaultdict(lambda: ([], []))
    for item in images:
        by_key[key(item)][0].append(item)
    for item in masks:
        by_key[key(item)][1].append(item)
    left_images, left_masks = [], []
    for same_images, same_masks in by_key.values():
        image, mask = same_images[:1], same_masks[:1]
        clear = image and mask and (exact or len(same_images) == len(same_masks) == 1)
        if not clear or (image[0].split and mask[0].split and image[0].split != mask[0].split):
            left_images += same_images
            left_masks += same_masks
            continue
        matched.append((image[0].split or mask[0].split, image[0].id, image[0].path, mask[0].path))
        for kind, used, others in ((kinds[0], image[0], same_images[1:]), (kinds[1], mask[0], same_masks[1:])):
            for other in others:
                notes.append(
                    f"{relative(other.path, root)} is a second {kind} with the name of "
                    f"{relative(used.path, root)}; only the latter is used."
                )
    return left_images, left_masks


def relative(path: Path, root: Path) -> Path:
    """`path` as seen from `root`, for messages; unchanged when it lies elsewhere."""
    return path.relative_to(root) if path.is_relative_to(root) else path


def _nothing_matched(root: Path, pairs: Pairs) -> str:
    if not pairs.masks:
        if any(is_series(path) for path in pairs.images[:1]):
            return (
                f"{root}: {len(pairs.images)} images, but no masks, and {pairs.images[0].name} is a DICOM slice of a "
                "scan: scans are trained as NIfTI volumes with label volumes (dcm2niix converts)"
            )
        vectors = next((path for path in walk(root) if path.suffix.lower() in _VECTORS), None)
        if vectors is not None:
            return (
                f"{root}: {len(pairs.images)} images, but no masks; {relative(vectors, root)} holds outlines on a map: "
                f"burn them into a mask for each image (gdal_rasterize -a CLASS {vectors.name} masks/NAME.tif)"
            )
        packed = next((path for path in walk(root) if path.suffix.lower() in _PACKED), None)
        if packed is not None:
            return (
                f"{root}: {len(pairs.images)} images, but no masks; {relative(packed, root)} may hold one, but is no "
                f"picture: save each as {_PACKED[packed.suffix.lower()]}, (height, width) of class numbers"
            )
        part = any(folder_meaning(root.name))
        beside = [p.name for p in root.parent.iterdir() if p.is_dir() and p != root] if part else []
        above = f" Or open the folder above, {root.parent}, which also holds {', '.join(beside[:3])}." if beside else ""
        return (
            f"{root}: {len(pairs.images)} images, but no masks. Put them into images/ and masks/ with the same file "
            f"names, or side by side as photo.jpg and photo_mask.png, or name the folder or ending of the masks "
            f"(--masks NAME), or annotate the images with LabelMe.{above}"
        )
    if not pairs.images:
        return f"{root}: {len(pairs.masks)} masks, but no images; put the images into images/ with the same file names"
    return (
        f"{root}: {len(pairs.images)} images and {len(pairs.masks)} masks, but no names match: for instance image "
        f"{relative(pairs.images[0], root)} and mask {relative(pairs.masks[0], root)}. Give a mask the name of its "
        f"image (endings such as _mask or _label are fine)"
    )
