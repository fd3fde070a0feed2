"""What an export holds, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from intarsia.annotations.document import AnnotatedImage, AnnotatedVideo, Document
from intarsia.annotations.geometry import name_of


@dataclass
class Summary:
    """Counts of an export.

    Attributes:
        documents: how many of each kind.
        missing: images whose file is not there (nor embedded).
        empty: images without a shape.
        subsets: images by subset.
        labels: for each label how many shapes or tracks, and in how many documents.
        geometries: for each label how many of each geometry.
    """

    documents: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    empty: int = 0
    subsets: Counter[str] = field(default_factory=Counter)
    labels: dict[str, tuple[int, int]] = field(default_factory=dict)
    geometries: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """Documents of still images."""
        return self.documents[AnnotatedImage.kind]

    @property
    def videos(self) -> int:
        """Documents of videos."""
        return self.documents[AnnotatedVideo.kind]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            "images": self.images,
            "videos": self.videos,
            "missing": self.missing,
            "empty": self.empty,
            "subsets": dict(self.subsets),
            "labels": {
                label: {"shapes": shapes, "documents": documents, "geometries": dict(self.geometries[label])}
                for label, (shapes, documents) in self.labels.items()
            },
        }


def summarise(documents: Iterable[Document]) -> Summary:
    """Count what some documents hold; a track counts as one, with the geometry of its first keyframe."""
    found = Summary()
    for document in documents:
        found.documents[document.kind] += 1
        found.missing += sum(still.image is None and still.embedded is None for still in document.stills())
        things = document.things()
        found.empty += not things
        if document.subset:
            found.subsets[document.subset] += 1
        counts = Counter(label for label, _ in things)
        for label, count in counts.items():
            shapes, held = found.labels.get(label, (0, 0))
            found.labels[label] = shapes + count, held + 1
        for label, geometry in things:
            found.geometries.setdefault(label, Counter())[name_of(geometry)] += 1
    return found
