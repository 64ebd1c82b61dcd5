// One open image, or up to four side by side, with tools and the details panel.

import { announce, element, iconButton, notices } from "./dom.js";
import { CallError } from "./host_client.js";
import { headerSection, labelsSection, reportSection } from "./image_details.js";
import { dataOf, isImageDetails, similarityOf } from "./tool_results.js";
import { hitOf, loadTimeline, timelineSection, timelineStrip } from "./timeline.js";
import { Viewport } from "./viewport.js";
import { WindowedImage } from "./windowed_image.js";

export const OVERVIEW_PX = 768;
const PANEL_FROM_PX = 760;
const TOOLS = { window: ["Window", "W"], pan: ["Move", "P"], ruler: ["Ruler", "M"] };

export class ImageViewer {
  /**
   * @param on back, step (to the previous or next image), open (by image id), compare (with an image of another study),
   *   toggleFullscreen, callFailed.
   * @param before The viewer that this one takes the place of: its tool and its panel stay.
   * @param whose Names the patient of a hit.
   */
  constructor(host, hits, { on, canFullscreen, canStep, notShared, backTo = "Back to the results", before = null, whose = (hit) => hit.subject_id }) {
    Object.assign(this, { host, hits, on, canFullscreen, canStep, notShared, backTo, whose });
    this.tool = before?.tool;
    this.viewports = [];
    this.active = null;
    this.isLinked = true;
    this.grid = element("div", { class: "viewports", "data-count": hits.length });
    this.panel = element("aside", { class: "panel", id: "details", "aria-label": "Report and details", tabindex: 0 });
    this.strip = element("div", {});
    this.changes = element("section", {});
    this.toolbar = element("div", { class: "toolbar", role: "group", "aria-label": "Image" });
    this.showsPanel = Boolean(notShared) || (hits.length === 1 && document.documentElement.clientWidth >= PANEL_FROM_PX);
    if (before && before.hits.length === hits.length) this.showsPanel = before.showsPanel;
  }

  render() {
    this.detailsButton = iconButton("details", "Report and details", () => this.#togglePanel(), {
      "aria-controls": "details",
    });
    this.root = element(
      "section",
      { class: "image-viewer", "aria-label": "Image viewer", onkeydown: (event) => this.#key(event) },
      this.#header(),
      element("div", { class: "workspace" }, this.notShared ? null : this.grid, this.panel),
      this.strip,
      this.notShared ? null : this.toolbar,
    );
    this.resizes = new ResizeObserver(() => this.#placePanel());
    this.resizes.observe(document.documentElement);
    this.#placePanel();
    return [this.root];
  }

  /** Load the images and the details of the first. */
  async start() {
    this.grid.replaceChildren(
      ...this.hits.map((hit) => element("div", { class: "viewport loading", "aria-label": `Image ${hit.rank} is loading` })),
    );
    this.#showDetails(this.hits[0]);
    if (this.hits.length === 1) this.#showTimeline(this.hits[0]);
    if (this.notShared) return this.panel.focus();
    await Promise.all(this.hits.map((hit, index) => this.#load(hit, index)));
  }

  close() {
    this.isClosed = true;
    this.resizes.disconnect();
    for (const viewport of this.viewports) viewport?.close();
  }

  async #load(hit, index) {
    const slot = this.grid.children[index];
    try {
      const image = await WindowedImage.open(this.host, hit.image_id, OVERVIEW_PX);
      if (this.isClosed) return;
      const viewport = new Viewport(image, this.#titleOf(hit).join("  ·  "), {
        view: (moved) => this.#follow(moved),
        window: (changed) => this.#followWindow(changed),
        focus: (chosen) => this.#activate(chosen),
      });
      this.viewports[index] = viewport;
      viewport.hit = hit;
      if (this.hits.length > 1)
        viewport.box.append(
          element("div", { class: "readout name", "aria-hidden": "true" }, this.#titleOf(hit).join("  ·  ")),
        );
      slot.replaceWith(viewport.box);
      viewport.resize();
      if (!this.active) this.#activate(viewport);
      if (index === 0 && this.#isFocusFree) viewport.canvas.focus({ preventScroll: true });
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      slot.replaceChildren(element("p", { class: "empty" }, error.message));
      slot.classList.remove("loading");
      this.on.callFailed(error);
    }
  }

  /** Whether the user has not moved the focus since the viewer was opened. */
  get #isFocusFree() {
    const focused = document.activeElement;
    return !this.root.contains(focused) || focused === this.root.querySelector("button");
  }

  #activate(viewport) {
    if (this.active === viewport) return;
    this.active = viewport;
    for (const other of this.viewports) other?.box.classList.toggle("active", other === viewport && this.hits.length > 1);
    viewport.tool = this.tool ?? "window";
    this.#drawToolbar();
    if (this.detailsHit !== viewport.hit) this.#showDetails(viewport.hit);
  }

  #follow(moved) {
    if (!this.isLinked) return;
    for (const viewport of this.viewports) if (viewport && viewport !== moved) viewport.follow(moved);
  }

  #followWindow(changed) {
    if (this.isLinked) for (const viewport of this.viewports) if (viewport && viewport !== changed) viewport.followWindow(changed);
    this.#updateToolbar();
  }

  // The patient's other studies

  async #showTimeline(hit) {
    const timeline = await loadTimeline(this.host, hit.image_id);
    if (!timeline || this.isClosed) return;
    if (!this.notShared) this.strip.append(timelineStrip(timeline, (study) => this.on.compare(hit, hitOf(study, hit))));
    this.changes.replaceChildren(...timelineSection(timeline));
  }

  // Header and tools

  #titleOf(hit) {
    const date = this.hits.length > 1 && hit.study_date; // of one image it stands beside the title
    return [hit.rank, isKnown(hit) && hit.view_position, date, hit.when, this.whose(hit)].filter(Boolean);
  }

  #header() {
    const first = this.hits[0];
    const isOne = this.hits.length === 1;
    return element(
      "header",
      { class: "top row" },
      iconButton("back", this.backTo, this.on.back),
      element(
        "h1",
        { class: "grow" },
        element("span", {}, isOne ? this.#titleOf(first).join("  ·  ") : `${this.hits.length} images side by side`),
        isOne ? element("small", {}, [isKnown(first) ? "" : "view unknown", first.study_date ?? ""].filter(Boolean).join("  ·  ")) : null,
      ),
      ...(isOne ? this.#steps() : []),
      this.notShared ? null : this.detailsButton,
      this.canFullscreen ? iconButton("full", "Full screen", this.on.toggleFullscreen) : null,
    );
  }

  #steps() {
    const button = (icon, name, by) => iconButton(icon, name, () => this.on.step(by), { class: "step" });
    this.stepButtons = [button("back", "Previous image (left arrow)", -1), button("next", "Next image (right arrow)", 1)];
    this.updateSteps();
    return this.stepButtons;
  }

  /** Offer the images before and after this one if there are such. */
  updateSteps() {
    this.stepButtons?.forEach((button, index) => (button.disabled = !this.canStep(index ? 1 : -1)));
  }

  #drawToolbar() {
    const { active } = this;
    const run = (name) => () => {
      active[name]();
      this.#updateToolbar();
    };
    const presets = active.image.presets;
    this.presetSelect = element(
      "select",
      { "aria-label": "Window preset", onchange: () => this.#choosePreset() },
      presets.map(({ name }, index) => element("option", { value: index }, index < 9 ? `${index + 1}  ${name}` : name)),
      element("option", { value: "manual", hidden: true }, "Manual"),
    );
    this.toolButtons = Object.entries(TOOLS).map(([tool, [name, key]]) =>
      iconButton(tool, `${name} (${key})`, () => this.chooseTool(tool), { "data-tool": tool }),
    );
    this.invertButton = iconButton("invert", "Invert (I)", run("invert"));
    this.toolbar.replaceChildren(
      element("div", { class: "group", role: "group", "aria-label": "Tool" }, this.toolButtons),
      element("div", { class: "group", role: "group", "aria-label": "Grayscale" }, this.presetSelect, this.invertButton),
      element(
        "div",
        { class: "group", role: "group", "aria-label": "Position and zoom" },
        iconButton("rotate", "Rotate (R)", run("rotate")),
        iconButton("flip", "Flip (F)", run("flip")),
        iconButton("less", "Zoom out (−)", () => active.zoomBy(0.8)),
        iconButton("more", "Zoom in (+)", () => active.zoomBy(1.25)),
        iconButton("fit", "Fit (0)", run("fit")),
        iconButton("actual", "Actual pixels (A)", () => active.zoomTo(1)),
      ),
      element(
        "div",
        { class: "group", role: "group", "aria-label": "Other" },
        this.hits.length > 1 ? this.#linkButton() : null,
        iconButton("reset", "Reset", run("reset")),
      ),
    );
    this.#updateToolbar();
  }

  #linkButton() {
    const button = iconButton("link", "Zoom and window all images together", () => {
      this.isLinked = !this.isLinked;
      button.setAttribute("aria-pressed", String(this.isLinked));
      if (!this.isLinked) return;
      this.#follow(this.active);
      this.#followWindow(this.active);
    });
    button.setAttribute("aria-pressed", String(this.isLinked));
    return button;
  }

  chooseTool(tool) {
    this.tool = tool;
    for (const viewport of this.viewports) {
      if (!viewport) continue;
      viewport.tool = tool;
      viewport.canvas.dataset.tool = tool;
      if (tool !== "ruler") viewport.crosshair = null;
      viewport.draw();
    }
    this.#updateToolbar();
  }

  #choosePreset(index = Number(this.presetSelect.value)) {
    const preset = this.active.image.presets[index];
    if (!preset) return;
    this.active.setPreset(preset.voiWindow);
    announce(`Window: ${preset.name}.`);
  }

  #updateToolbar() {
    const { image } = this.active;
    const chosen = image.presets.findIndex(({ voiWindow }) => isSameWindow(voiWindow, image.chosen));
    this.presetSelect.value = chosen < 0 ? "manual" : String(chosen);
    this.invertButton.setAttribute("aria-pressed", String(image.isInverted));
    for (const button of this.toolButtons)
      button.setAttribute("aria-pressed", String(button.dataset.tool === (this.tool ?? "window")));
  }

  #key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return; // the image took it
    if (/^(SELECT|INPUT)$/.test(event.target.tagName)) return;
    const step = { PageUp: -1, PageDown: 1, ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const tool = { w: "window", p: "pan", m: "ruler" }[event.key.toLowerCase()];
    if (event.key === "Escape") this.#escape();
    else if (step && this.hits.length === 1) this.on.step(step);
    else if (tool && this.active) this.chooseTool(tool);
    else if (/^[1-9]$/.test(event.key) && this.active) this.#choosePreset(Number(event.key) - 1);
    else return;
    event.preventDefault();
  }

  #escape() {
    if (this.showsPanel && this.root.classList.contains("narrow") && !this.notShared) this.#togglePanel();
    else this.on.back();
  }

  // Report and facts

  #togglePanel() {
    this.showsPanel = !this.showsPanel;
    this.#placePanel();
    if (this.showsPanel) this.panel.focus();
  }

  #placePanel() {
    this.panel.hidden = !this.showsPanel;
    this.root.classList.toggle("narrow", document.documentElement.clientWidth < PANEL_FROM_PX);
    this.detailsButton.setAttribute("aria-expanded", String(this.showsPanel));
  }

  async #showDetails(hit) {
    this.detailsHit = hit;
    this.panel.replaceChildren(element("p", { class: "empty" }, "Loading …"));
    try {
      const facts = dataOf(await this.host.call("get_image_metadata", { image_id: hit.image_id }), isImageDetails);
      if (!facts) throw new CallError("The host returned no details.");
      if (this.detailsHit === hit) this.panel.replaceChildren(...this.#details(hit, facts));
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      if (this.detailsHit === hit)
        this.panel.replaceChildren(...this.#whyFound(hit), element("p", { class: "empty" }, error.message));
    }
  }

  #details(hit, facts) {
    return [
      notices([this.notShared]),
      ...reportSection(facts.report, hit),
      notices(facts.warnings ?? []),
      this.changes,
      ...labelsSection(facts.labels),
      ...this.#whyFound(hit),
      ...headerSection(facts),
      ...this.#otherImages(facts),
    ].filter(Boolean);
  }

  #whyFound(hit) {
    const similarity = similarityOf(hit);
    const reasons = (hit.why ?? []).filter((reason) => reason !== "filter"); // filters alone are no reason
    if (!similarity && !reasons.length) return [];
    return [
      element("h2", {}, "Why it was found"),
      element("p", {}, reasons.join("; ")),
      similarity ? element("p", { class: "muted" }, similarity.explanation) : null,
    ].filter(Boolean);
  }

  #otherImages({ other_images: others }) {
    if (!others?.length) return [];
    const open = (id) =>
      element("button", { type: "button", class: "tool labeled wide", onclick: () => this.on.open(id) }, id);
    return [element("h2", {}, "Other images of the study"), element("div", { class: "others" }, others.map(open))];
  }
}

function isKnown({ view_position: view }) {
  return view !== "UNKNOWN";
}

function isSameWindow(a, b) {
  if (!a || !b) return a === b;
  return a.center === b.center && a.width === b.width && a.function === b.function;
}
