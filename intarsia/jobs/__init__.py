"""Jobs: sources in, files and records out."""

from intarsia.jobs.folder import FolderResult, Task, plan_tasks, segment_folder
from intarsia.jobs.outputs import Target, medium_of, names_file, segment_file, write_outputs
from intarsia.jobs.rasters import RasterResult, segment_raster
from intarsia.jobs.videojob import VideoResult, segment_video

__all__ = [
    "FolderResult",
    "RasterResult",
    "Target",
    "Task",
    "VideoResult",
    "medium_of",
    "names_file",
    "plan_tasks",
    "segment_file",
    "segment_folder",
    "segment_raster",
    "segment_video",
    "write_outputs",
]
