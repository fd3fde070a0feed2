"""`intarsia serve`: models over HTTP, and the studio in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json, emit
from intarsia.errors import require


def serve(
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATA",
            help="What the studio opens: a folder of pictures, a data set, or an annotation tool's export; default: "
            "its own workspace.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--model",
            help="Loaded before the server is ready: a bundled name, a bundle file or a run folder; repeatable. All "
            "bundled models can be asked for, and are loaded then.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but this machine's own needs --api-key or --insecure.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8000,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="INTARSIA_API_KEY", metavar="KEY", help="That clients must send; better by the variable."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let everybody who reaches the address use the server.")
    ] = False,
    max_bytes: Annotated[int, typer.Option(min=1, help="Largest body of a request.")] = 256 << 20,
    max_held: Annotated[
        int, typer.Option(min=1, help="Most bytes of bodies and pictures at once, of all requests; others get 429.")
    ] = 1 << 30,
    max_pixels: Annotated[
        int, typer.Option(min=1, help="Largest picture that is answered at once; larger ones are jobs.")
    ] = 40_000_000,
    max_scores: Annotated[
        int, typer.Option(min=1, help="Most bytes of pixels x classes x 4 of what is answered at once.")
    ] = 8 << 30,
    queue: Annotated[
        int, typer.Option(min=0, help="Requests that may wait while one is computed; others get 429 at once.")
    ] = 0,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds after which a request is given up (504).")] = 60.0,
    max_points: Annotated[
        int, typer.Option(min=1, help="Largest point cloud that is answered at once; larger ones are jobs.")
    ] = 10_000_000,
    max_job_bytes: Annotated[int, typer.Option(min=1, help="Largest body of a request for a job.")] = 8 << 30,
    max_jobs: Annotated[int, typer.Option(min=0, help="Jobs that may wait; others get 429 at once.")] = 20,
    ttl: Annotated[float, typer.Option(min=1, help="Seconds that results of jobs are kept.")] = 24 * 3600.0,
    state: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="For jobs and projects; default: ~/.local/state/intarsia.")
    ] = None,
    rembg: Annotated[bool, typer.Option("--rembg", help="Also answer as rembg's server does, at /api/remove.")] = False,
    label_studio_files: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where Label Studio keeps its uploads; its tasks name files below it."),
    ] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log a line of JSON a request.")] = False,
    json: Json = False,
) -> None:
    """Serve models over HTTP, and the studio in the browser. Ctrl-C ends it when what is in work is done."""
    require("fastapi", "serve")
    require("uvicorn", "serve")
    import logging

    from intarsia.serving.app import create_app
    from intarsia.serving.running import address, listen, run
    from intarsia.serving.settings import Settings, default_state

    settings = Settings(
        models=tuple(model or ()), host=host, port=port, api_key=api_key, insecure=insecure, max_bytes=max_bytes,
        max_pixels=max_pixels, max_scores=max_scores, queue=queue, deadline=deadline, ttl=ttl,
        max_points=max_points, max_held=max_held, max_job_bytes=max_job_bytes, max_jobs=max_jobs,
        state=state or default_state(), data=data, rembg=rembg, log_json=log_json,
        label_studio_files=label_studio_files,
    )  # fmt: skip
    app = create_app(settings)
    logging.basicConfig(format="%(message)s" if log_json else "%(asctime)s %(levelname)s %(message)s")
    found = listen(settings)
    at = address(found)

    def listening() -> None:
        if json:
            emit({"address": at, "studio": f"{at}/", "docs": f"{at}/docs"})
            return
        key = " -H 'Authorization: Bearer KEY'" if api_key else ""
        typer.echo(
            f"Studio:  {at}/\nAPI:     {at}/docs\nTry:     curl{key} -F file=@photo.jpg {at}/v1/segment -o mask.png"
        )

    run(app, found, listening)
