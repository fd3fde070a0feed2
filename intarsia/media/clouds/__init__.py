"""Point clouds: any format to coordinates and fields, labels back into a copy of the file."""

from intarsia.media.clouds.cloud import CHUNK, CloudReader, LoadedReader, PointCloud
from intarsia.media.clouds.opening import CLOUD_SUFFIXES, CloudLike, is_cloud, open_cloud, read_cloud
from intarsia.media.clouds.rooms import S3DIS_CLASSES, read_room
from intarsia.media.clouds.writing import write_labels

__all__ = [
    "CHUNK",
    "CLOUD_SUFFIXES",
    "S3DIS_CLASSES",
    "CloudLike",
    "CloudReader",
    "LoadedReader",
    "PointCloud",
    "is_cloud",
    "open_cloud",
    "read_cloud",
    "read_room",
    "write_labels",
]
