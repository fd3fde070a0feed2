/** Photos of the project, small, as files to send. */

import { call, callJson } from "../api.js";

const MOST = 90; // files of one request, with room for the others
const SIDE = 640;

/**
 * Fetch the pictures of the project.
 * @returns {Promise<File[]>} the first 90
 */
export async function projectPhotos() {
  const { items } = await callJson("/v1/project", { query: { limit: MOST } });
  const photos = [];
  for (const { id, name, medium } of items.slice(0, MOST)) {
    if (medium !== "picture") continue;
    const answer = await call(`/v1/project/items/${encodeURIComponent(id)}/image`, { query: { max_side: SIDE } });
    const blob = await answer.blob();
    photos.push(new File([blob], name.split("/").at(-1), { type: blob.type }));
  }
  return photos;
}
