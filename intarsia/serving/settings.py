"""What a server is told when it starts."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from intarsia.errors import UsageError


def default_state() -> Path:
    """Find the folder for what outlives a server: jobs, and the studio's own projects (XDG base directories)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "intarsia"


class Settings(BaseModel):
    """What a server is told when it starts.

    Attributes:
        models: names, files or run folders that are loaded before it is ready; all others are loaded when asked for.
        host: address that it listens on.
        port: 0 takes any free one.
        api_key: that clients must know; None: anybody who reaches the address.
        insecure: listen beyond this machine without a key.
        max_bytes: of a request's body.
        max_held: bytes of bodies and decoded pictures that all requests together may hold; further ones are sent away
            with 429.
        max_pixels: of a picture that is answered at once.
        max_scores: bytes of pixels x classes x 4 of a picture that is answered at once.
        queue: requests that may wait for a model while it computes; further ones are sent away with 429.
        deadline: seconds after which a request is given up.
        max_job_bytes: of the body of a request for a job.
        max_jobs: that wait; further ones are sent away with 429.
        max_points: of a point cloud that is answered at once.
        ttl: seconds that the results of a job are kept.
        state: folder for jobs and projects.
        data: what the studio opens: pictures, a data set, or an annotation tool's export.
        rembg: whether rembg's own route is there.
        label_studio_files: folder in which Label Studio keeps its uploads; None: its tasks must carry their pictures.
        log_json: write the log as JSON, a line a request.
    """

    model_config = ConfigDict(frozen=True)

    models: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    api_key: SecretStr | None = None
    insecure: bool = False
    max_bytes: Annotated[int, Field(gt=0)] = 256 << 20
    max_held: Annotated[int, Field(gt=0)] = 1 << 30
    max_pixels: Annotated[int, Field(gt=0)] = 40_000_000
    max_scores: Annotated[int, Field(gt=0)] = 8 << 30
    queue: Annotated[int, Field(ge=0)] = 0
    deadline: Annotated[float, Field(gt=0)] = 60.0
    max_job_bytes: Annotated[int, Field(gt=0)] = 8 << 30
    max_jobs: Annotated[int, Field(ge=0)] = 20
    max_points: Annotated[int, Field(gt=0)] = 10_000_000
    ttl: Annotated[float, Field(gt=0)] = 24 * 3600.0
    state: Path = Field(default_factory=default_state)
    data: Path | None = None
    rembg: bool = False
    label_studio_files: Path | None = None
    log_json: bool = False

    def check(self) -> None:
        """Refuse to listen beyond this machine without a key, or to read a folder that is not there.

        Raises:
            UsageError: says how it is made safe, or that there is no such folder.
        """
        if self.label_studio_files is not None and not self.label_studio_files.is_dir():
            raise UsageError(f"--label-studio-files: there is no folder {self.label_studio_files}")
        if not (self.is_local or self.api_key or self.insecure):
            raise UsageError(
                f"--host {self.host} lets other machines in: give a key that they must know (--api-key, or the "
                "variable INTARSIA_API_KEY), or say --insecure if everybody on the network may use this server"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False
