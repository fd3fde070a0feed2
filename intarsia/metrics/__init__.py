"""Metrics: stream with `update`, join processes with `merge`, read with `compute`."""

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
