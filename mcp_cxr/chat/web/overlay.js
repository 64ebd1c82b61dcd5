// The viewer over the whole page: one image of the results, or several side by side. Neighbors are read ahead.

import { CallError } from "/viewer/host_client.js";
import { ImageViewer, OVERVIEW_PX } from "/viewer/image_viewer.js";
import { loadTimeline } from "/viewer/timeline.js";
import { dataOf, isImageDetails } from "/viewer/tool_results.js";
import { whose } from "./words.js";

export class Overlay {
  /** @param on back, step (by -1 or 1), open (an image id), compare (two hits), neighbor (of a hit, by -1 or 1). */
  constructor(server, place, rest, on) {
    Object.assign(this, { server, place, rest, on });
  }

  get isOpen() {
    return !this.place.hidden;
  }

  /** Show images by their ids; those of the results are given as hits. */
  async show(ids, hits) {
    const wanted = (this.wanted = ids.join(" "));
    if (this.isOpen && this.shown === wanted) return;
    this.place.hidden = false;
    this.rest.inert = true;
    const known = await Promise.all(ids.map((id) => hits.find((hit) => hit.image_id === id) ?? this.#hitOf(id)));
    if (this.wanted !== wanted) return; // another image was opened meanwhile
    const before = this.viewer;
    before?.close();
    this.shown = wanted;
    this.viewer = new ImageViewer(this.server, known, {
      on: { back: this.on.back, step: this.on.step, open: this.on.open, compare: this.on.compare, callFailed: () => {} },
      canStep: (by) => this.on.canStep(known[0], by),
      before,
      whose,
    });
    this.place.replaceChildren(...this.viewer.render());
    this.place.querySelector("button").focus({ preventScroll: true });
    await this.viewer.start();
    if (ids.length === 1 && this.shown === wanted) this.#readAhead(known[0]);
  }

  /** Close it; return the image that was shown, if one was. */
  close() {
    const last = this.viewer?.hits.length === 1 ? this.viewer.hits[0].image_id : null;
    this.viewer?.close();
    this.viewer = this.shown = this.wanted = null;
    this.place.replaceChildren();
    this.place.hidden = true;
    this.rest.inert = false;
    return last;
  }

  /** What the viewer needs to know of an image that is not among the results. */
  async #hitOf(id) {
    try {
      const details = dataOf(await this.server.call("get_image_metadata", { image_id: id }), isImageDetails);
      return { ...details, rank: "" };
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      return { image_id: id, rank: "", view_position: "", subject_id: "" }; // the viewer tells what is wrong
    }
  }

  async #readAhead(hit) {
    for (const by of [1, -1]) {
      const next = this.on.neighbor(hit, by);
      if (!next) continue;
      const calls = [
        this.server.call("get_image_pixels", { image_id: next.image_id, max_px: OVERVIEW_PX }),
        this.server.call("get_image_metadata", { image_id: next.image_id }),
        loadTimeline(this.server, next.image_id),
      ];
      await Promise.allSettled(calls); // it is read again when it is opened, and tells what is wrong then
    }
  }
}
