"""The studio's list of pictures and its panels, in a browser at a real server."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs intarsia[serve]")

from onnx_made import write_onnx
from PIL import Image
from studio.programs import package
from studio.served import Served
from volumes_made import body, write_nifti

from intarsia.serving.settings import Settings


def picture(path: Path, start: int) -> Path:
    """Dark left of a column, bright right of it."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, start:] = 255
    Image.fromarray(pixels).save(path)
    return path


class Page(Served):
    """A server with a model that knows bright from dark, and a page of it."""

    def __init__(self, browser: Any, folder: Path, **settings: Any) -> None:
        bright = str(write_onnx(folder / "bright.onnx", stride=1))
        chosen = {"models": (bright,), "state": folder / "state", "port": 0, "max_bytes": 1 << 20, **settings}
        super().__init__(browser, Settings(**chosen), viewport={"width": 1300, "height": 900})
        self.page.route("**/v1/samples", lambda route: route.fulfill(json=[]))  # with which an empty project begins

    def open(self) -> Any:
        self.page.goto(self.address)
        self.page.evaluate("async () => { await (await import('/studio/js/project/index.js')).ready }")
        return self.page

    def add(self, *paths: Path) -> None:
        self.page.set_input_files("#add-files", [str(path) for path in paths])
        self.page.locator(".uploads").first.wait_for()
        self.page.locator(".uploads").wait_for(state="detached")


@pytest.fixture
def studio(browser: Any, tmp_path: Path) -> Iterator[Page]:
    page = Page(browser, tmp_path)
    page.open()
    yield page
    page.close()
    assert page.complaints == []
    assert not [said for said in page.console if "404" in said], "nothing is asked for that is not there"


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return [picture(tmp_path / f"{name}.png", start) for name, start in (("a", 10), ("b", 30), ("c", 50))]


def shown(studio: Page) -> list[str]:
    names: list[str] = studio.page.locator(".pictures .item-name").all_inner_texts()
    return names


def test_pictures_are_added_listed_and_opened(studio: Page, pictures: list[Path]) -> None:
    studio.add(*pictures)
    assert shown(studio) == ["a.png", "b.png", "c.png"]
    page = studio.page
    page.locator("#item-name", has_text="a.png").wait_for()
    page.locator(".pictures li:first-child .item-state", has_text="unsure").wait_for()
    page.locator(".pictures li:first-child img[src]").wait_for()
    page.keyboard.press("n")
    page.locator("#item-name", has_text="b.png").wait_for()
    assert page.locator(".picture[aria-current=true] .item-name").inner_text() == "b.png"
    page.locator(".pictures li:nth-child(2) .picture").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("#item-name", has_text="c.png").wait_for()


def test_who_comes_back_goes_on_at_the_picture_that_was_open(studio: Page, pictures: list[Path]) -> None:
    studio.add(*pictures)
    page = studio.page
    page.locator("#item-name", has_text="a.png").wait_for()
    page.locator(".pictures li:nth-child(2) .picture").click()
    page.locator("#item-name", has_text="b.png").wait_for()
    studio.open()
    assert page.locator("#item-name").inner_text() == "b.png"
    studio.context.request.delete(f"{studio.address}/v1/project/items/b")
    studio.open()
    assert page.locator("#item-name").inner_text() == "a.png"


def test_samples_are_offered(studio: Page) -> None:
    page = studio.page
    page.unroute("**/v1/samples")
    page.locator("#add summary").click()
    sample = studio.get("/v1/samples").json()[0]
    page.get_by_role("button", name=f"Sample: {sample['title']}").click()
    page.locator(".pictures li img[src]").wait_for()
    page.locator("#add[open]").wait_for(state="detached")
    assert len(shown(studio)) == 1


def test_dropped_and_pasted_files_are_added(studio: Page, pictures: list[Path]) -> None:
    script = """([name, bytes, kind]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], name));
        const event = kind === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
        document.body.dispatchEvent(event);
    }"""
    for path, kind in zip(pictures, ("drop", "paste"), strict=False):
        studio.page.evaluate(script, [path.name, list(path.read_bytes()), kind])
        studio.page.locator(".pictures .item-name", has_text=path.name).wait_for()


def test_what_is_refused_says_why(studio: Page, pictures: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "huge.png").write_bytes(bytes(2 << 20))
    studio.add(tmp_path / "text.png", pictures[0], tmp_path / "huge.png")
    said = studio.page.locator(".refused").inner_text()
    assert "Not added: 2" in said and "text.png: cannot read text.png: it is not an image" in said
    assert "huge.png: Too large: 2 MB, and the server takes 1 MB" in said
    assert shown(studio) == ["a.png"]
    studio.page.get_by_role("button", name="Close").click()
    assert studio.page.locator(".refused").count() == 0


def test_a_busy_server_is_asked_again(studio: Page, pictures: list[Path]) -> None:
    answers = iter([429])

    def busy(route: Any) -> None:
        status = next(answers, None) if route.request.method == "POST" else None
        if status is None:
            route.fallback()
        else:
            route.fulfill(status=status, headers={"Retry-After": "1"}, json={"title": "full", "status": status})

    studio.page.route("**/v1/project/items", busy)
    studio.add(pictures[0])
    assert shown(studio) == ["a.png"] and next(answers, None) is None


def test_a_picture_is_removed(studio: Page, pictures: list[Path]) -> None:
    studio.add(*pictures)
    studio.page.on("dialog", lambda dialog: dialog.accept())
    studio.page.get_by_role("button", name="Remove b.png").click()
    studio.page.locator(".pictures li", has_text="b.png").wait_for(state="detached")
    assert [one["id"] for one in studio.get("/v1/project").json()["items"]] == ["a", "c"]


def test_the_most_uncertain_come_first(studio: Page, tmp_path: Path) -> None:
    for name, level in (("a", 0), ("b", 118), ("c", 255)):
        Image.new("RGB", (60, 40), (level,) * 3).save(tmp_path / f"{name}.png")
    studio.add(*(tmp_path / f"{name}.png" for name in "abc"))
    panel = studio.panel("learn")
    panel.get_by_label("How many pictures").fill("3")
    panel.get_by_role("button", name="Predict the next").click()
    studio.page.locator("#message", has_text="3 pictures predicted").wait_for()
    studio.page.get_by_label("Order of the pictures").select_option("uncertainty")
    studio.page.locator(".pictures li:first-child .item-name", has_text="b.png").wait_for()
    assert "predicted" in studio.page.locator(".pictures li:first-child .item-state").inner_text()


def test_classes_are_edited_by_keyboard(studio: Page) -> None:
    panel = studio.panel("classes")
    page = studio.page
    before = [one["name"] for one in studio.get("/v1/project").json()["classes"]]
    panel.get_by_label("Name of a new class").fill("haze")
    page.keyboard.press("Enter")
    panel.get_by_label("Name of class haze").wait_for()
    panel.get_by_role("button", name="Move class haze up").focus()
    page.keyboard.press("Enter")
    panel.locator(f"li:nth-child({len(before)}) input[type=text]").and_(
        panel.get_by_label("Name of class haze")
    ).wait_for()
    panel.get_by_label(f"Name of class {before[0]}").fill("night")
    page.keyboard.press("Tab")
    panel.get_by_label("Name of class night").wait_for()
    classes = studio.get("/v1/project").json()["classes"]
    assert [one["name"] for one in classes] == ["night", *before[1:-1], "haze", before[-1]]
    assert [one["index"] for one in classes] == [0, *range(1, len(before) - 1), len(before), len(before) - 1]
    page.locator("#legend-list .name", has_text="haze").wait_for()
    panel.get_by_label("Name of class night").fill("haze")
    page.keyboard.press("Tab")
    page.locator("#message[data-kind=error]", has_text="two classes are named 'haze'").wait_for()
    assert panel.get_by_label("Name of class night").input_value() == "night"


def test_classes_of_one_s_own_take_the_place_of_the_model_s(studio: Page, pictures: list[Path]) -> None:
    studio.add(pictures[1])
    page, panel = studio.page, studio.panel("classes")
    page.locator(".pictures .item-state", has_text="unsure").wait_for()
    panel.get_by_label("Name of a new class").fill("haze")
    page.keyboard.press("Enter")
    panel.get_by_role("button", name="Remove class haze").click()
    panel.get_by_label("Name of class haze").wait_for(state="detached")
    panel.get_by_label("Name of a new class").fill("fog")
    page.keyboard.press("Enter")
    panel.get_by_label("Name of class fog").wait_for()
    panel.get_by_role("button", name="Begin with classes of my own").click()
    page.locator("#notice").get_by_text("No model here knows these classes").wait_for()
    assert [one["name"] for one in studio.get("/v1/project").json()["classes"]] == ["background", "object"]
    assert panel.get_by_role("button", name="Begin with classes of my own").count() == 0
    labels = page.evaluate("async () => [...new Set((await import('/studio/js/state.js')).state.labels.data)]")
    assert labels == [255]


def test_the_classes_of_a_model_are_added(studio: Page, pictures: list[Path]) -> None:
    panel, page = studio.panel("classes"), studio.page
    before = studio.get("/v1/project").json()["classes"]
    panel.get_by_label(f"Name of class {before[1]['name']}").fill("haze")
    page.keyboard.press("Tab")
    panel.get_by_label("Name of class haze").wait_for()
    page.locator("#model").select_option("street")
    street = next(one for one in studio.get("/v1/models").json()["models"] if one["name"] == "street")
    lacking = [one["name"] for one in street["classes"] if one["name"] not in (before[0]["name"], "haze")]
    panel.get_by_role("button", name=f"Add the classes of {street['title']} ({len(lacking)})").click()
    panel.get_by_label(f"Name of class {lacking[-1]}").wait_for()
    after = studio.get("/v1/project").json()["classes"]
    assert [one["name"] for one in after] == [before[0]["name"], "haze", *lacking]
    assert panel.get_by_role("button", name="Add the classes").count() == 0


@pytest.mark.needs_torch
def test_a_picture_is_clustered_without_any_training(studio: Page, pictures: list[Path]) -> None:
    studio.add(pictures[1])
    page = studio.page
    page.locator(".pictures .item-state", has_text="unsure").wait_for()
    page.locator("#model").select_option(label="Clusters, without training")
    page.locator('.model [data-action="predict"]').click()
    page.locator("#legend-list .name", has_text="segment 1").wait_for()
    labels = page.evaluate("async () => [...(await import('/studio/js/state.js')).state.labels.data]")
    seen = np.array(labels, np.uint8).reshape(40, 60)
    assert seen[20, 5] != seen[20, 55] and len(np.unique(seen)) > 1
    assert page.locator("#learn-base option[value=kmeans]").count() == 0, "it does not learn"


def test_slices_and_windows(studio: Page, tmp_path: Path) -> None:
    values, _ = body()
    studio.add(write_nifti(tmp_path / "scan.nii.gz", values))
    panel = studio.panel("slices")
    panel.get_by_role("button", name="Bone").wait_for()
    assert panel.locator("output").inner_text() == "5 of 9"
    assert studio.page.locator("#panel-frames").is_hidden()
    with studio.page.expect_request(lambda request: "frame=5" in request.url and "/image" in request.url):
        panel.get_by_label("Slice").focus()
        studio.page.keyboard.press("ArrowRight")
    assert panel.locator("output").inner_text() == "6 of 9"
    with studio.page.expect_request(lambda request: "window=-450%2C1050" in request.url and "frame=5" in request.url):
        panel.get_by_role("button", name="Bone").click()
    panel.get_by_label("Value that is black").fill("5000")
    studio.page.keyboard.press("Tab")
    studio.page.locator("#message[data-kind=error]", has_text="below the white one").wait_for()


def test_frames_by_their_times(studio: Page, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    studio.add(tmp_path / "clip.mp4")
    panel, page = studio.panel("frames"), studio.page
    panel.get_by_text("Frame 1 of 12, 0.000 s").wait_for()
    with page.expect_request(lambda request: "frame=4" in request.url and "/image" in request.url):  # ahead of time
        panel.get_by_role("button", name="Next frame").click()
    panel.get_by_text("Frame 2 of 12, 0.100 s").wait_for()
    panel.get_by_label("First frame").fill("3")
    panel.get_by_label("Last frame").fill("5")
    panel.get_by_role("button", name="Predict", exact=True).click()
    page.locator("#message", has_text="Frames 3 to 5 are predicted").wait_for()
    drafts = (studio.settings.state / "workspace" / ".intarsia" / "items" / "clip").glob("draft.*.json")
    assert {"draft.000002.json", "draft.000003.json", "draft.000004.json"} <= {path.name for path in drafts}


@pytest.mark.needs_torch
def test_a_training_shows_its_curve_and_its_model_predicts(studio: Page, pictures: list[Path]) -> None:
    pytest.importorskip("sklearn")
    studio.add(pictures[1])
    panel, page = studio.panel("learn"), studio.page
    page.locator(".pictures .item-state", has_text="unsure").wait_for()
    mask = studio.context.request.post(f"{studio.address}/v1/project/items/b/predict?model=bright").body()
    labels = f"{studio.address}/v1/project/items/b/labels"
    headers = {"If-Match": "0", "Content-Type": "image/png"}
    assert studio.context.request.put(labels, data=mask, headers=headers).status == 204
    panel.get_by_role("button", name="Learn", exact=True).click()
    told = r"^Learnt in one go from [\d,]+ labelled pixels; mIoU 100.0 %, by the labels that it learns from"
    panel.get_by_text(re.compile(told)).wait_for()
    assert panel.locator("canvas").is_hidden(), "one point is no curve"
    panel.get_by_text("is ready, and predicts from now on").wait_for()
    assert page.locator("#model").input_value() == "scribbles"


def test_a_training_is_followed_over_a_restart_of_the_server(studio: Page) -> None:
    panel, page = studio.panel("learn"), studio.page
    job = {"id": "7", "kind": "train", "done": 2, "total": 2, "state": "running"}
    told: list[str | None] = []

    def answer(route: Any) -> None:
        told.append(route.request.headers.get("last-event-id"))
        if len(told) == 2:
            return route.abort()
        state = "running" if len(told) == 1 else "cancelled"
        row = {"epoch": len(told), "loss": 0.5, "miou": 0.25}
        end = ".over" if state == "cancelled" else ""
        lines = f"event: curve\nid: {len(told)}\ndata: {json.dumps(row)}\n\n"
        lines += f"event: state\nid: {len(told)}{end}\ndata: {json.dumps(job | {'state': state})}\n\n"
        route.fulfill(body=lines, content_type="text/event-stream")

    page.route("**/v1/project/train", lambda route: route.fulfill(json=job, status=202))
    page.route("**/v1/jobs/7/events", answer)
    panel.get_by_role("button", name="Learn", exact=True).click()
    panel.get_by_text("The server does not answer.").wait_for()
    bar = panel.get_by_label("Progress of the training")
    assert bar.get_attribute("value") is None, "the labels are gathered: that is not the end of the training"
    panel.get_by_text("Epoch 3, loss 0.500").wait_for()
    panel.get_by_text("Stopped.").wait_for()
    assert panel.get_by_text("The server does not answer.").is_hidden()
    assert told == [None, "1", "1"]


def test_a_training_that_cannot_start_says_why(studio: Page) -> None:
    panel = studio.panel("learn")
    panel.get_by_role("button", name="Learn", exact=True).click()
    panel.get_by_role("alert").get_by_text("nothing in workspace is labelled yet").wait_for()
    panel.get_by_text("A network that is there already").click()
    panel.get_by_label("Model that goes on").select_option("bright")
    panel.get_by_role("button", name="Learn", exact=True).click()
    panel.get_by_role("alert").get_by_text("bright was converted").wait_for()


def test_exports_are_the_api_s_bytes(studio: Page, pictures: list[Path]) -> None:
    studio.add(pictures[1])
    page = studio.page
    page.locator(".pictures .item-state", has_text="unsure").wait_for()
    mask = studio.context.request.post(f"{studio.address}/v1/project/items/b/predict").body()
    saved = studio.context.request.put(
        f"{studio.address}/v1/project/items/b/labels", data=mask, headers={"If-Match": "0", "Content-Type": "image/png"}
    )
    assert saved.status == 204
    panel = studio.panel("export")
    panel.get_by_label("Form of the project").select_option("yolo")
    forms = {form["name"]: form["about"] for form in studio.get("/v1/project/options").json()["exports"]}
    assert panel.locator(".note").first.text_content() == forms["yolo"]
    panel.get_by_label("Form of the project").select_option("png")
    with page.expect_download() as download:
        panel.get_by_role("button", name="Download: whole project").click()
    assert download.value.suggested_filename == "workspace-png.zip"
    content = Path(download.value.path()).read_bytes()
    assert content == studio.get("/v1/project/export?format=png").body()
    assert "masks/b.png" in zipfile.ZipFile(io.BytesIO(content)).namelist()
    panel.get_by_label("Form of the picture").select_option("coco")
    with page.expect_download() as download:
        panel.get_by_role("button", name="Download: this picture").click()
    segmented = studio.context.request.post(
        f"{studio.address}/v1/segment?model=bright&format=coco",
        multipart={"file": {"name": "b.png", "mimeType": "image/png", "buffer": pictures[1].read_bytes()}},
    )
    assert json.loads(Path(download.value.path()).read_bytes()) == segmented.json()
    page.locator("#model").select_option("bright")
    panel.get_by_role("button", name="Copy as curl").click()
    command = panel.get_by_label("Command").input_value()
    assert f"curl -f -o labels.zip '{studio.address}/v1/project/export?format=png'" in command
    assert f"'{studio.address}/v1/segment?model=bright&format=coco'" in command
    panel.get_by_role("button", name="Copy as Python").click()
    folder = pictures[1].parent
    script = panel.get_by_label("Command").input_value()
    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, env={**os.environ, "no_proxy": "*"})
    assert (folder / "labels.zip").read_bytes() == content
    assert json.loads((folder / "answer").read_bytes())["annotations"] == segmented.json()["annotations"]
    panel.get_by_label("Form of the picture").select_option("alpha")
    page.locator("#legend-list li").nth(1).click()
    with page.expect_download() as download:
        panel.get_by_role("button", name="Download: this picture").click()
    assert download.value.suggested_filename == "b.alpha.png"
    with Image.open(download.value.path()) as cutout:
        assert np.asarray(cutout)[20, [5, 55], 3].tolist() == [0, 255], "the class in hand is kept"


def test_nothing_keeps_anybody_out(studio: Page, pictures: list[Path], tmp_path: Path) -> None:
    axe = (package("axe-core") / "axe.min.js").read_text("utf-8")
    (tmp_path / "text.png").write_text("no picture")
    studio.add(*pictures, tmp_path / "text.png")
    values, _ = body()
    studio.add(write_nifti(tmp_path / "scan.nii.gz", values))
    for name in ("classes", "learn", "export", "slices"):
        studio.panel(name)
    studio.page.locator("#add summary").click()
    studio.page.locator("#panel-slices").get_by_role("button", name="Usual").wait_for()
    studio.page.evaluate(axe)
    for scheme in ("light", "dark"):
        studio.page.emulate_media(color_scheme=scheme)
        found = studio.page.evaluate("async () => (await axe.run()).violations")
        assert [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]] == [], scheme


NO_LABELS = "async () => (await import('/studio/js/state.js')).state.labels?.data.every((label) => label === 255)"


def test_a_scan_that_no_model_knows_starts_empty_and_says_what_to_do(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_nifti(tmp_path / "data" / "scan.nii.gz", body()[0])
    with Page(browser, tmp_path, models=(), data=tmp_path / "data") as studio:
        starts_empty(studio)
    assert studio.complaints == studio.console == []


def starts_empty(studio: Page) -> None:
    page = studio.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    studio.open()
    notice = page.locator("#notice")
    notice.get_by_text("No model here knows scans").wait_for()
    assert page.evaluate(NO_LABELS)
    assert page.locator("#legend-list .name span").all_inner_texts() == ["background", "object"]
    page.get_by_role("button", name="Close this notice").click()
    page.get_by_role("button", name="Predict", exact=True).first.click()
    notice.get_by_text("Paint a few strokes").wait_for()
    assert not any("/predict" in url or "/labels" in url for url in asked)
    page.locator("#canvas").focus()
    for key in ("2", "b"):
        page.keyboard.press(key)
    page.evaluate("async () => (await import('/studio/js/editor.js')).editor.setSize(3)")
    page.locator("#canvas").click()
    page.locator("#saved[data-how=saved]").wait_for()
    assert notice.is_hidden()
    item = studio.get("/v1/project").json()["items"][0]["id"]
    saved = np.asarray(Image.open(io.BytesIO(studio.get(f"/v1/project/items/{item}/labels?frame=4").body())))
    assert set(np.unique(saved)) == {1, 255}


def test_labels_that_came_with_the_data_are_called_so(browser: Any, tmp_path: Path) -> None:
    for number in (10, 2):
        (tmp_path / "data" / "images").mkdir(parents=True, exist_ok=True)
        picture(tmp_path / "data" / "images" / f"street{number}.png", 30)
    (tmp_path / "data" / "masks").mkdir()
    Image.fromarray(np.eye(40, 60, dtype=np.uint8)).save(tmp_path / "data" / "masks" / "street10.png")
    (tmp_path / "data" / "classes.json").write_text(json.dumps({"road": 0, "mark": 1}))
    with Page(browser, tmp_path, data=tmp_path / "data") as studio:
        studio.open()
        assert shown(studio) == ["street2.png", "street10.png"], "as people count"
        states = studio.page.locator(".pictures .item-state").all_inner_texts()
        assert states[1] == "labelled" and states[0].split(" · ")[0] in ("new", "predicted")
    assert studio.complaints == studio.console == []


def test_a_message_that_is_too_long_for_its_line_is_shown_whole(studio: Page) -> None:
    message = studio.page.locator("#message")
    say = "async (text) => (await import('/studio/js/state.js')).state.say(text, 'error')"
    seen = "(box) => box.scrollWidth <= box.clientWidth && box.scrollHeight <= box.clientHeight"
    for text in ("Short.", "A reason, and what to do about it. " * 12):
        studio.page.evaluate(say, text)
        assert message.inner_text() == text.strip() and message.evaluate(seen)
    studio.page.set_viewport_size({"width": 360, "height": 700})
    studio.page.evaluate(say, "A reason, and what to do about it. " * 8)
    assert message.evaluate(seen)
    box = message.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 360


def test_errors_name_what_is_on_the_page(studio: Page) -> None:
    answer = {"title": "Unprocessable", "status": 422, "detail": "name the range (--window 0,1; recipe: input.window)"}
    studio.page.route("**/v1/project/options", lambda route: route.fulfill(status=422, json=answer))
    studio.panel("export")
    studio.page.locator("#message", has_text="name the range (the window under Slices)").wait_for()
