/** A photo from the camera, taken in a dialog. */

import { make } from "../dom.js";
import { state } from "../main.js";
import { reasonOf } from "./items.js";

/**
 * Show what the camera sees until a photo is taken.
 * @returns {Promise<File | null>} null when nobody took one
 */
export async function takePhoto() {
  /** @type {MediaStream} */
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 } }, audio: false });
  } catch (error) {
    state.say(`The camera cannot be used: ${reasonOf(error)}`, "error");
    return null;
  }
  const video = make("video", { autoplay: true, muted: true, playsInline: true, srcObject: stream });
  video.setAttribute("aria-label", "What the camera sees");
  const take = make("button", { type: "submit", value: "take", className: "primary" }, "Take photo");
  const form = make("form", { method: "dialog" }, video, make("div", { className: "buttons" }, make("button", { type: "submit" }, "Close"), take));
  const dialog = make("dialog", { id: "camera", "aria-label": "Camera" }, form);
  document.body.append(dialog);
  dialog.showModal();
  try {
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    return dialog.returnValue === "take" ? await photoOf(video) : null;
  } finally {
    for (const track of stream.getTracks()) track.stop();
    dialog.remove();
  }
}

/** @param {HTMLVideoElement} video */
async function photoOf(video) {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  return new File([blob], `camera-${time}.png`, { type: blob.type });
}
