"""CVAT's XML 1.1, "for images" and "for video" (docs.cvat.ai, "XML annotation format"), streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from intarsia.annotations.document import (
    AnnotatedImage,
    AnnotatedVideo,
    AnnotationSet,
    Category,
    Document,
    Shape,
    Track,
)
from intarsia.annotations.finding import ImageFinder, clean_name, photo_folder, walk
from intarsia.annotations.formats.cvat.meta import Meta, read_attributes, read_meta
from intarsia.annotations.formats.cvat.shapes import CUBOID_CORNERS, geometry_of
from intarsia.annotations.formats.cvat.tracks import read_track
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import from_files, kept, side, whole_number
from intarsia.annotations.xmlfile import Element, children, root_name
from intarsia.errors import DataError
from intarsia.media.images import IMAGE_SUFFIXES

_MOST_FRAMES = 10_000_000

_KNOWN = frozenset(
    [
        *("label", "source", "occluded", "z_order", "group_id"),
        *("xtl", "ytl", "xbr", "ybr", "cx", "cy", "rx", "ry", "rotation", "points"),
        *("rle", "left", "top", "width", "height"),
        *(f"{axis}{corner}" for axis in "xy" for corner in CUBOID_CORNERS),
    ]
)


def sniff(path: Path) -> bool:
    """Recognise CVAT's XML: a file, or any file below a folder."""
    return any(root_name(file) == "annotations" for file in walk(path, (".xml",)))


def read(path: Path, *, images: Path | None = None) -> AnnotationSet:
    """Open CVAT's XML, or a folder with such files (an unpacked export).

    Shapes with the same `group_id` are one instance; attributes get the type that their label declares. Images are
    streamed; a video's tracks are held in memory while it is read.

    Args:
        path: the file or folder.
        images: the folder with the images; default the file's own.

    Raises:
        DataError: no such XML, or broken at its beginning.
    """
    files = [path] if path.is_file() else [file for file in walk(path, (".xml",)) if root_name(file) == "annotations"]
    root = images or photo_folder(path)
    if not files:
        raise DataError(f"{path}: no CVAT XML (its first element is <annotations>); export as 'CVAT for images 1.1'")
    metas: dict[Path, Meta] = {}
    broken: list[DataError] = []
    for file in files:
        try:
            metas[file] = _first_meta(file)
        except DataError as error:
            broken.append(error)
    if not metas:
        raise broken[0]
    categories: dict[str, Category] = {}
    for meta in metas.values():
        for category in meta.categories:
            categories.setdefault(category.name, category)

    def stream(lost: Lost) -> Iterator[Document]:
        finder = ImageFinder(root)
        for error in broken:
            lost.dropped("a file that cannot be used", error)
        return from_files(
            list(metas), lambda file: _documents(file, metas[file], finder, lost), lost, broken=len(broken)
        )

    return AnnotationSet("cvat", path, root, tuple(categories.values()), stream)


def _first_meta(file: Path) -> Meta:
    if root_name(file) not in ("annotations", ""):
        raise DataError(f"{file}: not CVAT's XML: it begins with <{root_name(file)}>, not <annotations>")
    for child in children(file):
        if child.tag == "meta":
            return read_meta(child)
        if child.tag in ("image", "track"):
            break
    return Meta()


def _documents(file: Path, meta: Meta, finder: ImageFinder, lost: Lost) -> Iterator[Document]:
    tracks: dict[tuple[str, str], list[Track]] = {}
    names: set[tuple[str, str]] = set()
    for child in children(file):
        if child.tag == "image":
            image = _image(child, file, meta, finder, lost)
            if image is None:
                continue
            if (image.subset, image.name) in names:
                lost.changed("several entries have the same image name", f"{file.name}: {image.name}")
            names.add((image.subset, image.name))
            yield image
        elif child.tag == "track":
            track = read_track(child, meta, file.name, lost)
            if track:
                owner = child.get("task_id", ""), child.get("subset", "")
                tracks.setdefault(owner, []).append(track)
        elif child.tag not in ("version", "meta"):
            lost.dropped("an element is unknown", f"{file.name}: <{child.tag}>")
    photos = list(walk(finder.root, IMAGE_SUFFIXES)) if len(tracks) == 1 else []
    for (task, subset), found in tracks.items():
        yield _video(file, meta, task, subset, tuple(found), finder.root, photos)


def _image(element: Element, file: Path, meta: Meta, finder: ImageFinder, lost: Lost) -> AnnotatedImage | None:
    name = clean_name(element.get("name", ""))
    if not name:
        lost.dropped("an image entry has no name", f"{file.name}: image {element.get('id')}")
        return None
    subset = element.get("subset", "")
    where = f"{file.name}: {name}"
    width, height = _side(element, "width", file), _side(element, "height", file)
    size = (height, width) if height and width else None
    return AnnotatedImage(
        name=name,
        source=file,
        image=finder.find(f"{subset}/{name}" if subset else name, beside=file.parent, lost=lost),
        width=width,
        height=height,
        shapes=kept(element, lambda child: _shape(child, meta, size), where, lost),
        subset=subset,
        tool="cvat",
        extra={key: text for key, text in element.attrib.items() if key not in ("name", "width", "height", "subset")},
    )


def _shape(element: Element, meta: Meta, size: tuple[int, int] | None) -> Shape:
    label = element.get("label", "")
    return Shape(
        label=label,
        geometry=geometry_of(element, size),
        instance=whole_number(element.get("group_id")) or None,
        z=whole_number(element.get("z_order")) or 0,
        attributes=read_attributes(element, meta.kinds.get(label, {})),
        occluded=element.get("occluded") == "1",
        source=element.get("source", ""),
        extra={key: text for key, text in element.attrib.items() if key not in _KNOWN},
    )


def _side(element: Element, name: str, file: Path) -> int | None:
    return side(element.get(name), f"{file}: {element.get('name')}: {name}")


def _video(
    file: Path,
    meta: Meta,
    task_id: str,
    subset: str,
    tracks: tuple[Track, ...],
    root: Path,
    photos: list[Path],
) -> AnnotatedVideo:
    task = meta.task(task_id)
    seen = [keyframe.frame for track in tracks for keyframe in track.keyframes]
    start = min(*seen, seen[0] if task.start is None else task.start)
    stop = max(*seen, seen[0] if task.stop is None else task.stop)
    if (stop - start) // task.step >= _MOST_FRAMES:
        raise DataError(f"{file}: its frames run from {start} to {stop}, which is no video; correct <stop_frame>")
    name = clean_name(task.video) or task.name or file.stem
    return AnnotatedVideo(
        name=name,
        tracks=tracks,
        start=start,
        stop=stop,
        step=task.step,
        source=file,
        image=_video_file(name, root),
        width=task.width,
        height=task.height,
        frame_images=_frames(photos, range(start, stop + 1, task.step)),
        subset=subset or task.subset,
        tool="cvat",
        extra={"task_id": task_id} if task_id else {},
    )


def _video_file(name: str, root: Path) -> Path | None:
    """The video itself, if it lies in the folder under its own name."""
    place = root / PurePosixPath(name).name
    return place if "\0" not in name and len(place.name) < 256 and place.is_file() else None


def _frames(photos: list[Path], numbers: range) -> dict[int, Path]:
    """The frames that CVAT saved as images, by number: "frame_000010.png".

    A task of images keeps their own names, in whose order they are the frames.
    """
    named = ((re.fullmatch(r"frame_(\d{1,12})", path.stem, re.IGNORECASE), path) for path in photos)
    found = {int(match[1]): path for match, path in named if match}
    return found or (dict(zip(numbers, photos, strict=True)) if len(photos) == len(numbers) else {})
