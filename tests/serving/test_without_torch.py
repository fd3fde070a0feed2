"""A server of exported networks runs without PyTorch, though it is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CODE = """
import json, sys, warnings
warnings.simplefilter("ignore")
from starlette.testclient import TestClient
from intarsia.serving.app import create_app
from intarsia.serving.routes.samples import FOLDER
from intarsia.serving.settings import Settings

with TestClient(create_app(Settings(models=("person",), state=sys.argv[1]))) as client:
    photo = (FOLDER / "astronaut.jpg").read_bytes()
    asked = ["/v1/segment", "/v1/segment?model=street", "/v1/composite/portrait"]
    answers = [client.post(path, files={"file": ("a.jpg", photo)}).status_code for path in asked]
    answers.append(client.get("/v1/project").status_code)
print(json.dumps([answers, sorted({"torch", "torchvision", "timm"} & sys.modules.keys())]))
"""


def test_segmenting_and_portraits_load_no_torch(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    assert json.loads(done.stdout.splitlines()[-1]) == [[200, 200, 200, 200], []]
