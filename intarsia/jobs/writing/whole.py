"""Sources that give one result as a whole, which writes itself in the forms that its names ask for."""

from __future__ import annotations

from typing import Any

from intarsia.jobs.writing.work import Facts, Work
from intarsia.media.images import write_image


def write_whole(predictor: Any, work: Work) -> Facts:
    """Write what was found in a source: renders of it as pictures, everything else as `Result.save` does.

    Raises:
        DataError: the source cannot be read, or a file cannot be written.
    """
    (result,) = work.parts
    for kind, path in work.paths.items():
        if kind in work.task.renders:
            render = work.task.renders[kind]
            write_image(path, result.render(render, opacity=work.style.opacity, keep=work.style.keep))
        else:
            result.save(path)
    return Facts(result.size, result.areas(), result.notes, result.details)
