// One film to be read, or up to four side by side.

const FIRST_PICTURE_PX = 768;
const PANEL_FROM_PX = 760;
const TOOLS = { window: ["Window", "W"], pan: ["Move", "P"], ruler: ["Ruler", "M"] };

class Reading {
  /** @param on back, step (to the film before or after), open (by image id), fill, refused. */
  constructor(host, hits, { on, canFill, canStep, pictures }) {
    Object.assign(this, { host, hits, on, canFill, canStep, pictures });
    this.panes = [];
    this.active = null;
    this.isLinked = true;
    this.stage = element("div", { class: "stage", "data-films": hits.length });
    this.panel = element("aside", { class: "panel", id: "details", "aria-label": "Report and facts", tabindex: -1 });
    this.toolbar = element("div", { class: "toolbar", role: "group", "aria-label": "Film" });
    this.showsPanel = Boolean(pictures) || (hits.length === 1 && document.documentElement.clientWidth >= PANEL_FROM_PX);
  }

  render() {
    this.detailsButton = iconButton("details", "Report and facts", () => this.#togglePanel(), {
      "aria-controls": "details",
    });
    this.root = element(
      "section",
      { class: "reading", "aria-label": "Film viewer", onkeydown: (event) => this.#key(event) },
      this.#header(),
      element("div", { class: "desk" }, this.pictures ? null : this.stage, this.panel),
      this.pictures ? null : this.toolbar,
    );
    this.sizes = new ResizeObserver(() => this.#placePanel());
    this.sizes.observe(document.documentElement);
    this.#placePanel();
    return [this.root];
  }

  /** Bring the films and what is known of the first. */
  async start() {
    this.stage.replaceChildren(
      ...this.hits.map((hit) => element("div", { class: "pane loading", "aria-label": `Film ${hit.rank} is coming` })),
    );
    this.#tell(this.hits[0]);
    if (this.pictures) return this.panel.focus();
    await Promise.all(this.hits.map((hit, place) => this.#bring(hit, place)));
  }

  close() {
    this.isClosed = true;
    this.sizes.disconnect();
    for (const pane of this.panes) pane?.close();
  }

  async #bring(hit, place) {
    const slot = this.stage.children[place];
    try {
      const film = await Film.open(this.host, hit.image_id, FIRST_PICTURE_PX);
      if (this.isClosed) return;
      const pane = new Pane(film, titleOf(hit), {
        view: (moved) => this.#follow(moved),
        window: () => this.#tellTools(),
        focus: (chosen) => this.#activate(chosen),
      });
      this.panes[place] = pane;
      pane.hit = hit;
      if (this.hits.length > 1)
        pane.box.append(
          element("div", { class: "readout name", "aria-hidden": "true" }, `${hit.rank}  ${hit.view_position}`),
        );
      slot.replaceWith(pane.box);
      if (!this.active) this.#activate(pane);
      if (place === 0) pane.canvas.focus({ preventScroll: true });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      slot.replaceChildren(element("p", { class: "empty" }, error.message));
      slot.classList.remove("loading");
      this.on.refused(error);
    }
  }

  #activate(pane) {
    if (this.active === pane) return;
    this.active = pane;
    for (const other of this.panes) other?.box.classList.toggle("active", other === pane && this.hits.length > 1);
    pane.tool = this.tool ?? "window";
    this.#drawToolbar();
    if (this.told !== pane.hit) this.#tell(pane.hit);
  }

  #follow(moved) {
    if (!this.isLinked) return;
    for (const pane of this.panes) if (pane && pane !== moved) pane.follow(moved);
  }

  // Header and tools

  #header() {
    const one = this.hits[0];
    const isOne = this.hits.length === 1;
    return element(
      "header",
      { class: "top row" },
      iconButton("back", "Back to the results", this.on.back),
      element(
        "h1",
        { class: "grow" },
        element("span", {}, isOne ? titleOf(one) : `${this.hits.length} films side by side`),
        isOne ? element("small", {}, one.study_id ?? "") : null,
      ),
      isOne
        ? iconButton("back", "Film before (Page up)", () => this.on.step(-1), {
            disabled: !this.canStep(-1),
            class: "step",
          })
        : null,
      isOne
        ? iconButton("next", "Film after (Page down)", () => this.on.step(1), {
            disabled: !this.canStep(1),
            class: "step",
          })
        : null,
      this.pictures ? null : this.detailsButton,
      this.canFill ? iconButton("full", "Full screen", this.on.fill) : null,
    );
  }

  #drawToolbar() {
    const { active } = this;
    const act = (name) => () => {
      active[name]();
      this.#tellTools();
    };
    const presets = active.film.presets;
    this.presetChoice = element(
      "select",
      { "aria-label": "Window preset", onchange: () => this.#choosePreset() },
      presets.map(({ name }, at) => element("option", { value: at }, name)),
      element("option", { value: "own", hidden: true }, "Set by hand"),
    );
    this.toolButtons = Object.entries(TOOLS).map(([tool, [name, key]]) =>
      iconButton(tool, `${name} (${key})`, () => this.chooseTool(tool), { "data-tool": tool }),
    );
    this.invertButton = iconButton("invert", "Invert (I)", act("invert"));
    this.toolbar.replaceChildren(
      element("div", { class: "group", role: "group", "aria-label": "Tool" }, this.toolButtons),
      element("div", { class: "group", role: "group", "aria-label": "Greys" }, this.presetChoice, this.invertButton),
      element(
        "div",
        { class: "group", role: "group", "aria-label": "Place" },
        iconButton("rotate", "Rotate (R)", act("rotate")),
        iconButton("flip", "Flip (F)", act("flip")),
        iconButton("less", "Zoom out (−)", () => active.zoomBy(0.8)),
        iconButton("more", "Zoom in (+)", () => active.zoomBy(1.25)),
        iconButton("fit", "Fit (0)", act("fit")),
        iconButton("actual", "Every pixel (1)", () => active.zoomTo(1)),
      ),
      element(
        "div",
        { class: "group", role: "group", "aria-label": "All" },
        this.hits.length > 1 ? this.#linkButton() : null,
        iconButton("reset", "Reset", act("reset")),
      ),
    );
    this.#tellTools();
  }

  #linkButton() {
    const button = iconButton("link", "Zoom all films together", () => {
      this.isLinked = !this.isLinked;
      button.setAttribute("aria-pressed", String(this.isLinked));
      if (this.isLinked) this.#follow(this.active);
    });
    button.setAttribute("aria-pressed", String(this.isLinked));
    return button;
  }

  chooseTool(tool) {
    this.tool = tool;
    for (const pane of this.panes) {
      if (!pane) continue;
      pane.tool = tool;
      pane.canvas.dataset.tool = tool;
      if (tool !== "ruler") pane.cross = null;
      pane.draw();
    }
    this.#tellTools();
  }

  #choosePreset() {
    this.active.setPreset(this.active.film.presets[Number(this.presetChoice.value)].window);
  }

  #tellTools() {
    const { film } = this.active;
    const chosen = film.presets.findIndex(({ window }) => isSameWindow(window, film.chosen));
    this.presetChoice.value = chosen < 0 ? "own" : String(chosen);
    this.invertButton.setAttribute("aria-pressed", String(film.isInverted));
    for (const button of this.toolButtons)
      button.setAttribute("aria-pressed", String(button.dataset.tool === (this.tool ?? "window")));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|INPUT)$/.test(event.target.tagName)) return;
    const step = { PageUp: -1, PageDown: 1 }[event.key];
    const tool = { w: "window", p: "pan", m: "ruler" }[event.key.toLowerCase()];
    if (event.key === "Escape") this.#escape();
    else if (step && this.hits.length === 1) this.on.step(step);
    else if (tool && this.active) this.chooseTool(tool);
    else return;
    event.preventDefault();
  }

  #escape() {
    if (this.showsPanel && this.root.classList.contains("narrow") && !this.pictures) this.#togglePanel();
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

  async #tell(hit) {
    this.told = hit;
    this.panel.replaceChildren(element("p", { class: "empty" }, "Looking …"));
    try {
      const facts = dataIn(await this.host.call("get_image_metadata", { image_id: hit.image_id }), isFacts);
      if (!facts) throw new Refusal("The host passed no facts on.");
      if (this.told === hit) this.panel.replaceChildren(...this.#facts(hit, facts));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (this.told === hit)
        this.panel.replaceChildren(...this.#found(hit), element("p", { class: "empty" }, error.message));
    }
  }

  #facts(hit, facts) {
    return [
      notices([this.pictures]),
      ...reportOf(facts.report, hit),
      notices(facts.warnings ?? []),
      ...labelsOf(facts.labels),
      ...this.#found(hit),
      ...headerOf(facts),
      ...this.#others(facts),
    ].filter(Boolean);
  }

  #found(hit) {
    const standing = standingOf(hit);
    const reasons = reasonsOf(hit);
    if (!standing && !reasons.length) return [];
    return [
      element("h2", {}, "Why it was found"),
      element("p", {}, reasons.join("; ")),
      standing ? element("p", { class: "quiet" }, standing.told) : null,
    ].filter(Boolean);
  }

  #others({ other_images: others }) {
    if (!others?.length) return [];
    const open = (id) =>
      element("button", { type: "button", class: "tool worded wide", onclick: () => this.on.open(id) }, id);
    return [element("h2", {}, "Other films of the study"), element("div", { class: "others" }, others.map(open))];
  }
}

function titleOf(hit) {
  return [hit.rank, hit.view_position, hit.subject_id].filter(Boolean).join("  ·  ");
}

function isSameWindow(one, other) {
  if (!one || !other) return one === other;
  return one.center === other.center && one.width === other.width && one.function === other.function;
}
