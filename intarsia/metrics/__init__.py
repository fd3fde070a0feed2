"""Metrics: stream with `update`, join processes with `merge`, read with `compute`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intarsia.metrics.boundary import BoundaryF1, BoundaryIoU, BoundaryScores, TrimapScores, boundary_band
    from intarsia.metrics.calibration import Calibration, Reliability
    from intarsia.metrics.confusion import ConfusionMatrix, Scores
    from intarsia.metrics.instance_iou import InstanceIoU
    from intarsia.metrics.instances import InstanceAP, InstanceScores
    from intarsia.metrics.panoptic import PanopticQuality, PanopticScores
    from intarsia.metrics.partitions import PartitionAgreement, PartitionScores
    from intarsia.metrics.ranking import Curve, PrecisionRecall, Ranking
    from intarsia.metrics.surface import Distances, SurfaceDistance, SurfaceScores, surface_distances
    from intarsia.metrics.temporal import Flicker, TemporalConsistency, VideoConsistency, move_labels
    from intarsia.metrics.volumes import CaseScores, StructureCases, StructureScores

__all__ = [
    "BoundaryF1",
    "BoundaryIoU",
    "BoundaryScores",
    "Calibration",
    "CaseScores",
    "ConfusionMatrix",
    "Curve",
    "Distances",
    "Flicker",
    "InstanceAP",
    "InstanceIoU",
    "InstanceScores",
    "PanopticQuality",
    "PanopticScores",
    "PartitionAgreement",
    "PartitionScores",
    "PrecisionRecall",
    "Ranking",
    "Reliability",
    "Scores",
    "StructureCases",
    "StructureScores",
    "SurfaceDistance",
    "SurfaceScores",
    "TemporalConsistency",
    "TrimapScores",
    "VideoConsistency",
    "boundary_band",
    "move_labels",
    "surface_distances",
]

# Loaded when they are asked for: a confusion matrix must not wait for all others.
_ROOMS = {
    "boundary": "BoundaryF1 BoundaryIoU BoundaryScores TrimapScores boundary_band",
    "calibration": "Calibration Reliability",
    "confusion": "ConfusionMatrix Scores",
    "instance_iou": "InstanceIoU",
    "instances": "InstanceAP InstanceScores",
    "panoptic": "PanopticQuality PanopticScores",
    "partitions": "PartitionAgreement PartitionScores",
    "ranking": "Curve PrecisionRecall Ranking",
    "surface": "Distances SurfaceDistance SurfaceScores surface_distances",
    "temporal": "Flicker TemporalConsistency VideoConsistency move_labels",
    "volumes": "CaseScores StructureCases StructureScores",
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
