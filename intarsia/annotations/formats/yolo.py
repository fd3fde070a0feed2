"""Ultralytics' YOLO labels: a text file an image, with a line of class number and outline in shares of the image.

Format: https://docs.ultralytics.com/datasets/segment/. Class names and splits stand in data.yaml.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from intarsia.annotations.document import AnnotatedImage, AnnotationSet, Category, Document, Shape
from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.finding import head, read_text, safe_parts, subset_of, walk
from intarsia.annotations.geometry import Geometry, Keypoint, Polygon, Rectangle, Skeleton
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import BadShape, kept, number, polygon, usable, whole_number
from intarsia.annotations.tools import Tool
from intarsia.annotations.writing import account, account_classes, fitted, size_of, still_images
from intarsia.classlists import read_class_file
from intarsia.errors import DataError, UsageError, counted, suggest
from intarsia.files import write_text
from intarsia.media.images import IMAGE_SUFFIXES, open_image

DRAWING = DrawingRules("inclusive", "area")
"""Ultralytics fills outlines with OpenCV, the smaller above the larger."""

WITHOUT = ("background", "skip")
_NAME_FILES = ("classes.txt", "obj.names", "labels/classes.txt")
_NOT_LABELS = ("classes.txt", "notes.txt", "train.txt", "val.txt", "test.txt", "requirements.txt")
_DECIMALS = 2  # shares are cut off after some digits, so that a whole pixel would come back as 19.9999
_SPLITS = {"train": "train", "val": "val", "valid": "val", "test": "test"}


@dataclass(frozen=True)
class Description:
    """What data.yaml says: the names by class number, the folders or lists of each split, the form of keypoints."""

    names: Mapping[int, str]
    splits: Mapping[str, tuple[str, ...]]
    keypoints: tuple[int, int] | None


def describe(folder: Path) -> Description:
    """Read the data.yaml (or whatever .yaml names classes) of a folder, or the file of names that other tools write.

    Raises:
        DataError: its number of classes is not that of its names.
    """
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml")), key=lambda path: path.stem != "data"):
        value = _yaml(path)
        names = _numbered(value.get("names"))
        if names:
            _check_count(path, value.get("nc"), names)
            shape: Any = value.get("kpt_shape")
            known = isinstance(shape, list) and [type(one) for one in shape] == [int, int]
            form = (shape[0], shape[1]) if known else None
            splits = {split: _texts(value.get(key)) for key, split in _SPLITS.items() if value.get(key)}
            return Description(names, splits, form)
    for name in _NAME_FILES:
        if (folder / name).is_file():
            found = read_class_file(folder / name)
            numbers = found.values if 0 in found.values else range(len(found.names))
            return Description(dict(zip(numbers, found.names, strict=True)), {}, None)
    return Description({}, {}, None)


def _check_count(path: Path, count: Any, names: Mapping[int, str]) -> None:
    """Refuse names that are not as many as the file says (nc), as Ultralytics does: one of both is wrong."""
    if isinstance(count, int) and count not in (len(names), max(names) + 1):
        raise DataError(
            f"{path}: nc is {count}, and {counted(len(names), 'class is', 'classes are')} named "
            f"({', '.join(names.values())}); correct the one that is wrong, or leave nc out"
        )


def described_folder(path: Path) -> Path | None:
    """The folder that a data.yaml describes: its key path, if that is here, else its own; None for another file."""
    if path.suffix.lower() not in (".yaml", ".yml") or not path.is_file():
        return None
    value = _yaml(path)
    if not _numbered(value.get("names")) or "train" not in value:
        return None
    said = value.get("path")
    folder = path.parent / said if isinstance(said, str) else path.parent
    return folder if folder.is_dir() else path.parent


def read(path: Path, *, images: Path | None = None, without_labels: str = "background") -> AnnotationSet:
    """Open a folder of YOLO's labels: outlines, boxes, turned boxes, and keypoints with their box.

    Args:
        path: the folder with data.yaml, images/ and labels/ (or text files beside the photos); or its data.yaml.
        images: folder with the photos; default `path`.
        without_labels: photos without a text file show "background" alone, as the format means it, or "skip" them.

    Raises:
        DataError: no labels there.
        UsageError: another word for `without_labels`.
    """
    if without_labels not in WITHOUT:
        raise UsageError(f"without_labels is {without_labels!r}.{suggest(without_labels, WITHOUT)}")
    folder = path if path.is_dir() else path.parent
    files = list(_label_files(folder))
    if not files:
        raise DataError(
            f"{path}: no labels of YOLO here (text files in labels/, with a class number and shares a line)"
        )
    root = images or folder
    described = describe(folder)
    categories = tuple(Category(name, id=index) for index, name in described.names.items())

    def stream(lost: Lost) -> Iterator[Document]:
        photos = list(walk(root, IMAGE_SUFFIXES))
        by_label = {_label_of(photo, root): photo for photo in photos}
        by_stem = {photo.stem: photo for photo in photos}
        known = {file: by_label.get(_key(file, folder)) or by_stem.get(file.stem) for file in files}

        def one(entry: tuple[Path | None, Path | None]) -> AnnotatedImage:
            return _document(*entry, folder, root, described, lost)

        yield from usable(((file, known[file]) for file in files), one, lost, "image")
        labelled = set(known.values())
        bare = [photo for photo in photos if photo not in labelled and _is_listed(photo, root, described)]
        if without_labels == "skip":
            bare = []
        for photo in bare:
            lost.changed(
                "a photo without labels shows background alone (without_labels=skip leaves it out)", photo.name
            )
            yield _document(None, photo, folder, root, described, lost)

    return AnnotationSet("yolo", path, root, categories, stream)


def sniff(path: Path) -> bool:
    """Recognise a folder by one of its first label files, or a data.yaml beside some."""
    if path.is_file():
        return (
            path.suffix.lower() in (".yaml", ".yml")
            and bool(_numbered(_yaml(path).get("names")))
            and sniff(path.parent)
        )
    return next(_label_files(path), None) is not None


def write(documents: Iterable[Document], path: Path, *, categories: Sequence[Category] = ()) -> Lost:
    """Write labels/NAME.txt and data.yaml; the photos belong into images/ beside.

    Returns:
        What the format cannot express: holes, several parts, everything but outlines.

    Raises:
        DataError: nothing to write, or an image of unknown size.
    """
    lost = Lost()
    declared = [category.name for category in sorted(categories, key=lambda category: category.id or 0)]
    numbers = {name: index for index, name in enumerate(dict.fromkeys(declared))}
    subsets: dict[str, None] = {}
    written: set[Path] = set()
    for document in still_images(documents, lost):
        account(document, lost, "yolo", image=("subset",))
        width, height = size_of(document)
        if not width or not height:
            raise DataError(f"{document.name}: its size is not known, which shares of it need; put the image beside")
        subsets[document.subset] = None
        name = PurePosixPath(*safe_parts(document.name)).with_suffix(".txt")
        target = path / "labels" / name
        if target in written:
            raise DataError(f"{path}: two images would share the labels {name}; rename one of them")
        written.add(target)
        lines = []
        for drawn in document.shapes:
            for shape in fitted(drawn, lost, document.name, (Polygon,), drawing=DRAWING):
                index = numbers.setdefault(shape.label, len(numbers))
                lines.append(f"{index} {_shares(shape.geometry, width, height)}")
        write_text(target, "\n".join(lines) + ("\n" if lines else ""))
    if not written:
        raise DataError(f"{path}: there are no annotations to write")
    account_classes(categories, lost, "yolo", stored=("id",))
    places = _places(path, [file.relative_to(path / "labels") for file in written])
    value = {"path": ".", **places, "names": {index: name for name, index in numbers.items()}}
    from intarsia.yamltext import write_yaml

    write_text(path / "data.yaml", write_yaml(value))
    return lost


def _places(path: Path, names: Iterable[Path]) -> dict[str, str]:
    """The folders of train and val, by the first folder of the images' names; the same one if not divided."""
    first = {name.parts[0] for name in names if len(name.parts) > 1}
    found = {subset: f"images/{folder}" for folder in sorted(first) if (subset := subset_of(folder))}
    return {"train": "images", "val": "images"} | found if len(found) != 1 else {"train": "images", "val": "images"}


def _shares(geometry: Geometry, width: int, height: int) -> str:
    assert isinstance(geometry, Polygon)
    return " ".join(f"{x / width:.12g} {y / height:.12g}" for x, y in geometry.rings[0])


def _label_files(folder: Path) -> Iterator[Path]:
    """The text files that hold labels, or are empty beside such; told by the first line of each.

    Where a data.yaml names the classes, or the photo of the same name is there, files count whatever their numbers are
    (pixels, say), so that what is wrong with them is said.
    """
    described = bool(describe(folder).names)
    for file in walk(folder, (".txt",)):
        if file.name.lower() not in _NOT_LABELS and _is_label(file, described):
            yield file


def _is_label(file: Path, described: bool) -> bool:
    lines = head(file, 1 << 12).decode("utf-8", "replace").splitlines()
    first = next((line for line in lines if line.strip()), "")
    inside = "labels" in (part.lower() for part in file.parent.parts)
    if not first:
        return inside  # an image without objects
    words = first.split()
    if not inside and not any(file.with_suffix(suffix).is_file() for suffix in IMAGE_SUFFIXES):
        return False
    if described and len(words) > 1:
        return True
    index = whole_number(words[0])
    if len(words) < 5 or index is None or index < 0:
        return False
    try:
        shares = [float(word) for word in words[1:]]
    except ValueError:
        return False
    return all(-0.5 <= share <= 1.5 for share in shares[:4]) or _has_photo(file)


def _has_photo(file: Path) -> bool:
    """Whether the photo of a label file lies beside it, or in images/ where it lies in labels/."""
    places = [Path(*("images" if part.lower() == "labels" else part for part in file.parent.parts)), file.parent]
    return any((place / f"{file.stem}{suffix}").is_file() for place in places for suffix in IMAGE_SUFFIXES)


def _key(file: Path, root: Path) -> tuple[str, ...]:
    """The folders of a label file without the one that says "labels", and its stem."""
    parts = file.relative_to(root).with_suffix("").parts
    return tuple(part for part in parts if part.lower() != "labels")


def _label_of(photo: Path, root: Path) -> tuple[str, ...]:
    """The key of a photo's labels: those of images/train/a.jpg lie in labels/train/a.txt."""
    parts = photo.relative_to(root).with_suffix("").parts
    return tuple(part for part in parts if part.lower() != "images")


def _is_listed(photo: Path, root: Path, described: Description) -> bool:
    """Whether a photo lies in a folder of a split, or in one called images, where no split has a folder."""
    places = [place for some in described.splits.values() for place in some if not place.endswith(".txt")]
    if places:
        return bool(_subset(photo, root, described)[1])
    return "images" in (part.lower() for part in photo.relative_to(root).parts)


def _subset(photo: Path, root: Path, described: Description) -> tuple[str, bool]:
    """The subset of a photo, by the folders of data.yaml, else by its own; and whether data.yaml says it."""
    inside = photo.relative_to(root).as_posix() if photo.is_relative_to(root) else photo.name
    known = {split: tuple(_cleaned(place) for place in places) for split, places in described.splits.items()}
    if len(set(known.values())) > 1 or len(known) == 1:
        for split, places in known.items():
            if any(inside.startswith(f"{place}/") for place in places):
                return (split if len(known) > 1 else ""), True
    listed = any(inside.startswith(f"{place}/") for places in known.values() for place in places)
    return subset_of(*reversed(PurePosixPath(inside).parent.parts)), listed


def _cleaned(place: str) -> str:
    """A folder of data.yaml from its own folder on: Roboflow writes ../train/images."""
    parts = [part for part in PurePosixPath(place.replace("\\", "/")).parts if part not in (".", "..", "/")]
    return "/".join(parts)


def _document(
    file: Path | None, photo: Path | None, folder: Path, root: Path, described: Description, lost: Lost
) -> AnnotatedImage:
    place = photo or file
    assert place is not None
    if photo is None:
        raise DataError(f"{file}: the image it belongs to is not here, and its size is needed; put it beside")
    reader = open_image(photo)
    size = reader.width, reader.height
    shapes: tuple[Shape, ...] = ()
    if file is not None:
        lines = [line.split() for line in read_text(file, lost).splitlines() if line.strip()]
        shapes = kept(lines, lambda words: _shape(words, size, described), file.name, lost)
    inside = photo.relative_to(root)
    name = PurePosixPath(*(part for part in inside.parts[:-1] if part.lower() != "images"), inside.name)
    return AnnotatedImage(
        name=name.as_posix(),
        source=file or folder,
        image=photo,
        width=size[0],
        height=size[1],
        shapes=shapes,
        subset=_subset(photo, root, described)[0],
        tool="yolo",
    )


def _shape(words: Sequence[str], size: tuple[int, int], described: Description) -> Shape:
    index = whole_number(words[0])
    if index is None or index < 0:
        raise BadShape("a line that does not begin with a class number")
    if described.names and index not in described.names:
        raise BadShape("a class number that data.yaml does not name")
    label = described.names.get(index, f"class_{index}")
    shares = [number(word) for word in words[1:]]
    score = None
    form = described.keypoints
    if form is None and len(shares) % 2 and len(shares) >= 5:
        score, shares = shares[-1], shares[:-1]  # a prediction's confidence
    if not all(-0.5 <= share <= 1.5 for share in shares[:4]):
        raise BadShape("coordinates that are no shares of the image (0 to 1)")
    return Shape(label, _geometry(shares, size, form), score=score if score is None or 0 <= score <= 1 else None)


def _geometry(shares: Sequence[float], size: tuple[int, int], keypoints: tuple[int, int] | None) -> Geometry:
    width, height = size
    if keypoints is not None and len(shares) == 4 + keypoints[0] * keypoints[1]:
        step = keypoints[1]
        points = [shares[start : start + step] for start in range(4, len(shares), step)]
        return Skeleton(
            tuple(Keypoint(str(place), one[0] * width, one[1] * height) for place, one in enumerate(points, start=1))
        )
    if len(shares) == 4:
        x, y, w, h = shares
        if w < 0 or h < 0:
            raise BadShape("a box of negative width or height")
        return Rectangle((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
    if len(shares) % 2 or len(shares) < 6:
        raise BadShape("a line that is neither a box nor an outline")
    corners = zip(shares[0::2], shares[1::2], strict=True)
    return polygon([(round(x * width, _DECIMALS), round(y * height, _DECIMALS)) for x, y in corners])


def _yaml(path: Path) -> dict[str, Any]:
    from intarsia.yamltext import read_yaml

    try:
        value = read_yaml(head(path, 1 << 20).decode("utf-8-sig", "replace"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _numbered(value: Any) -> dict[int, str]:
    """Names by number, from a list or from a mapping of numbers."""
    if isinstance(value, list) and all(isinstance(name, str | int) for name in value):
        return {index: str(name) for index, name in enumerate(value)}
    if isinstance(value, dict) and all(whole_number(key) is not None for key in value):
        return {whole_number(key) or 0: str(name) for key, name in value.items()}
    return {}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else (str(value),)


TOOL = Tool(
    "yolo",
    "Ultralytics YOLO labels: a text file of outlines (or boxes) an image, data.yaml",
    sniff,
    read,
    write,
    suffix="",
    drawing=DRAWING,
    photos="images",
)
