/** The live page: what the camera sees, changed; never more than one frame is on its way. */

import { ApiError } from "../api.js";
import { make } from "../dom.js";
import { state } from "../state.js";
import { Meter } from "./meter.js";
import { overlayMode, streamMode } from "./modes.js";
import { reasonOf } from "../project/items.js";

/** @typedef {import("./schema.js").Use} Use */
/** @typedef {import("./modes.js").Mode} Mode */

const WIDTH = 640;
const HEIGHT = 480;
const QUALITY = 0.85; // of the frames that are sent
const BUSY = 429;
const BREATH = 300; // milliseconds before a busy server is asked again

/**
 * Open the live page.
 * @param {Use[]} uses
 */
export function openLive(uses) {
  if (!isSecureContext) {
    state.say("Browsers give the camera to pages of this machine (127.0.0.1) or over https alone.", "error");
    return;
  }
  const page = new LivePage([overlayMode(), ...uses.filter(({ live }) => live).map(streamMode)]);
  document.body.append(page.element);
  page.element.showModal();
}

class LivePage {
  /** @param {Mode[]} modes */
  constructor(modes) {
    this.modes = modes;
    this.mode = modes[0];
    /** @type {AbortController | null} */
    this.running = null;
    this.video = make("video", { muted: true, playsInline: true, width: 160, height: 120, hidden: true });
    this.video.setAttribute("aria-label", "What the camera sees");
    this.canvas = make("canvas", { width: WIDTH, height: HEIGHT, role: "img", "aria-label": "What the server makes of it" });
    this.meter = make("p", { id: "live-meter" }); // no live region: it changes with every frame
    this.trouble = make("p", { role: "alert", className: "use-error" });
    this.start = make("button", { type: "button", className: "primary" }, "Start the camera");
    this.place = make("div", { className: "use-form" });
    this.consent = make("p", { className: "note" });
    this.element = this.build();
    this.start.addEventListener("click", () => (this.running ? this.running.abort() : void this.run()));
    this.choose(0);
  }

  build() {
    const select = make("select", { id: "live-mode" }, ...this.modes.map(({ title }, index) => make("option", { value: String(index) }, title)));
    select.addEventListener("change", () => this.choose(Number(select.value)));
    const side = make("div", { className: "live-side" }, make("label", { className: "use-field" }, make("span", {}, "Show"), select), this.place, this.consent, this.start, this.video);
    const close = make("button", { type: "submit" }, "Close");
    const form = make("form", { method: "dialog" }, make("header", {}, make("h2", { id: "live-title" }, "Live camera"), close), make("div", { className: "live-stage" }, this.canvas, side), this.meter, this.trouble);
    const dialog = make("dialog", { id: "live", "aria-labelledby": "live-title" }, form);
    dialog.addEventListener("close", () => {
      this.running?.abort();
      dialog.remove();
    });
    return dialog;
  }

  /** @param {number} index */
  choose(index) {
    this.mode = this.modes[index];
    this.place.replaceChildren(this.mode.element);
    this.consent.textContent = this.mode.consent;
  }

  /** Take the camera, and go on until it is stopped. */
  async run() {
    const running = new AbortController();
    this.running = running;
    this.start.textContent = "Stop";
    this.trouble.textContent = "";
    /** @type {MediaStream | null} */
    let stream = null;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: WIDTH, height: HEIGHT }, audio: false });
      this.video.srcObject = stream;
      this.video.hidden = false;
      await this.video.play();
      await this.loop(running.signal);
    } catch (error) {
      if (!running.signal.aborted) this.trouble.textContent = reasonOf(error);
    } finally {
      for (const track of stream?.getTracks() ?? []) track.stop();
      this.video.srcObject = null;
      this.video.hidden = true;
      this.running = null;
      this.start.textContent = "Start the camera";
    }
  }

  /**
   * Send the newest frame, wait for the answer, show it, and so on: the delay never grows.
   * @param {AbortSignal} signal
   */
  async loop(signal) {
    const { videoWidth: width, videoHeight: height } = this.video;
    const taken = new OffscreenCanvas(width, height);
    const context = taken.getContext("2d");
    const shown = this.canvas.getContext("2d");
    Object.assign(this.canvas, { width, height });
    let { mode } = this;
    let meter = new Meter();
    while (!signal.aborted) {
      await nextFrame(this.video, signal);
      if (signal.aborted) break;
      if (mode !== this.mode) [mode, meter] = [this.mode, new Meter()];
      const start = performance.now();
      context?.drawImage(this.video, 0, 0);
      const frame = await taken.convertToBlob({ type: "image/jpeg", quality: QUALITY });
      try {
        const answer = await mode.send(frame, signal);
        const picture = await createImageBitmap(await answer.blob());
        shown?.clearRect(0, 0, width, height);
        shown?.drawImage(picture, 0, 0);
        meter.add(start, performance.now(), answer.headers.get("Server-Timing") ?? "");
        this.meter.textContent = String(meter);
        this.trouble.textContent = "";
      } catch (error) {
        if (!(error instanceof ApiError) || error.status === 0 || error.status === 401) throw error;
        this.trouble.textContent = error.status === BUSY ? "" : error.message; // a form half filled in, for instance
        await new Promise((resolve) => setTimeout(resolve, BREATH));
      }
    }
  }
}

/**
 * Wait until the camera has a frame that was not there before, or nobody wants one any more.
 * @param {HTMLVideoElement} video
 * @param {AbortSignal} signal
 */
function nextFrame(video, signal) {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener("abort", done);
      resolve(undefined);
    };
    signal.addEventListener("abort", done);
    video.requestVideoFrameCallback(done);
  });
}
