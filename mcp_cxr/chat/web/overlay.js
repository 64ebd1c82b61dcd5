// The viewer over the whole page: one image of the results, or several side by side. Neighbors are read ahead.

import { element, iconButton } from "/viewer/dom.js";
import { CallError } from "/viewer/host_client.js";
import { ImageViewer, OVERVIEW_PX } from "/viewer/image_viewer.js";
import { loadTimeline, whenIn } from "/viewer/timeline.js";
import { dataOf, isImageDetails } from "/viewer/tool_results.js";
import { whose } from "./words.js";

export class Overlay {
  /** @param on back, step (by -1 or 1), open (an image id), compare (two hits), neighbor (of a hit, by -1 or 1). */
  constructor(server, place, rest, on) {
    Object.assign(this, { server, place, rest, on });
  }

  get isOpen() {
    return Boolean(this.wanted); // the place may show the image of another screen
  }

  /** Show images by their ids; those of the results are given as hits. */
  async show(ids, hits) {
    const wanted = (this.wanted = ids.join(" "));
    if (this.isOpen && this.shown === wanted) return;
    this.place.hidden = false;
    this.rest.inert = true;
    if (!this.viewer) this.#drawLoading();
    const [found, timeline] = await Promise.all([
      Promise.all(ids.map((id) => hits.find((hit) => hit.image_id === id) ?? this.#hitOf(id))),
      ids.length > 1 ? loadTimeline(this.server, ids[0]) : null,
    ]);
    if (this.wanted !== wanted) return; // another image was opened meanwhile
    const known = found.map((hit, index) => (index ? { ...hit, when: whenIn(timeline, hit) } : hit));
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

  /** The results have changed below the open image. */
  updateSteps() {
    this.viewer?.updateSteps();
  }

  /** A way back, before it is known what to show. */
  #drawLoading() {
    const back = iconButton("back", "Back to the results", this.on.back);
    const words = element("p", { class: "empty" }, "Loading …");
    const escape = ({ key }) => key === "Escape" && this.on.back();
    this.place.replaceChildren(element("section", { class: "image-viewer", onkeydown: escape }, element("header", { class: "top row" }, back), words));
    back.focus();
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
      const next = this.viewer?.hits[0] === hit && this.on.neighbor(hit, by);
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
