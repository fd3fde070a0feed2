"""The Open Inference Protocol (version 2), which clients of KServe and Triton speak."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

import intarsia
from intarsia.errors import IntarsiaError
from intarsia.serving.calls import Call
from intarsia.serving.documenting import BYTES, FILE, JSON, form, gives, takes
from intarsia.serving.engine import Engine
from intarsia.serving.problems import UNAVAILABLE, UNSUPPORTED, Problem, problem_of
from intarsia.serving.routes.health import readyz
from intarsia.serving.routes.segment import choose, engine_of, predict
from intarsia.serving.tensors import (
    CONFIDENCE,
    IMAGE,
    LABELS,
    datatype,
    read_inference,
    wanted_outputs,
    write_answer,
)
from intarsia.serving.uploads import read_body

_HEAD = "Inference-Header-Content-Length"


class _Route(APIRoute):
    """Errors also carry the member that this protocol's clients read: `error`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the handler of a request."""
        handler = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handler(request)
            except (Problem, IntarsiaError) as error:
                known = problem_of(error)
                more = known.more | {"error": known.detail}
                raise Problem(known.status, known.detail, headers=known.headers, **more) from error

        return told


router = APIRouter(prefix="/v2", tags=["kserve"], route_class=_Route)


@router.get("")
async def show_server() -> dict[str, Any]:
    """Tell which server this is, and which extensions of the protocol it knows."""
    return {"name": "intarsia", "version": intarsia.__version__, "extensions": ["binary_tensor_data"]}


@router.get("/health/live")
async def show_live() -> dict[str, bool]:
    """Tell that the server lives."""
    return {"live": True}


@router.get("/health/ready")
async def show_ready(request: Request) -> dict[str, bool]:
    """Tell that the models are loaded and warm; 503 before, and while the server ends."""
    await readyz(request)
    return {"ready": True}


@router.get("/models/{model}")
async def show_tensors(request: Request, model: str) -> dict[str, Any]:
    """Tell which tensors a model takes and gives; a picture may also come encoded, as one element of BYTES."""
    description = engine_of(request).description(model)
    return {
        "name": model, "platform": description.architecture,
        "inputs": [{"name": IMAGE, "datatype": "UINT8", "shape": [-1, -1, 3]}],
        "outputs": [
            {"name": LABELS, "datatype": datatype(description.space), "shape": [-1, -1]},
            {"name": CONFIDENCE, "datatype": "FP32", "shape": [-1, -1]},
        ],
    }  # fmt: skip


@router.get("/models/{model}/ready")
async def show_model_ready(request: Request, model: str) -> dict[str, Any]:
    """Tell that a model can be asked; what is not loaded yet is loaded by the first request that asks for it."""
    engine: Engine = engine_of(request)
    engine.description(model)
    if engine.draining or not (request.app.state.ready or engine.is_loaded(model)):
        raise Problem(UNAVAILABLE, f"{model} is not ready; ask again in a moment", headers={"Retry-After": "1"})
    return {"name": model, "ready": True}


_TENSOR = form(
    {
        "name": {"const": IMAGE}, "datatype": {"enum": ["UINT8", "BYTES"]}, "parameters": {"type": "object"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": 8},
        "data": {"type": "array"},
    },
    ["name", "shape", "datatype"],
)  # fmt: skip
_WANTED = form({"name": {"enum": [LABELS, CONFIDENCE]}, "parameters": {"type": "object"}}, ["name"])
_REQUEST = form(
    {
        "id": {"type": "string"}, "parameters": {"type": "object"},
        "inputs": {"type": "array", "minItems": 1, "maxItems": 1, "items": _TENSOR},
        "outputs": {"type": "array", "items": _WANTED},
    },
    ["inputs"],
)  # fmt: skip


@router.post(
    "/models/{model}/infer", response_class=Response, openapi_extra=takes({JSON: _REQUEST, BYTES: FILE}),
    responses=gives(JSON, BYTES),
)  # fmt: skip
async def infer(request: Request, model: str) -> Response:
    """Give every pixel of a picture its class: `image` in, `labels` and, if asked for, `confidence` out."""
    engine, call = engine_of(request), Call(request)
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(UNSUPPORTED, "send the body as it is, without a Content-Encoding")
    engine.check_room()
    engine.description(model)  # one that is not there is 404, whatever was sent
    with call.stages("read"):
        body = await read_body(request)

    async def work() -> Response:
        asked, picture = await engine.beside(call, lambda: read_inference(body, request.headers.get(_HEAD)))
        wanted = wanted_outputs(asked, engine.description(model).space)
        options = {"confidence": any(one.name == CONFIDENCE for one in wanted)}
        _, predictor, _ = await choose(request, call, picture, model, options)
        result = await predict(engine, call, predictor, picture)
        with call.stages("encode"):
            content, head = await engine.beside(call, lambda: write_answer(asked, wanted, result, model))
        headers = {} if head is None else {_HEAD: str(head)}
        return Response(
            content,
            media_type=JSON if head is None else BYTES,
            headers=headers | {"Server-Timing": call.stages.header()},
        )

    found: Response = await engine.admitted(call, work)
    return found
