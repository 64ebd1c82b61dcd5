// The page: what was asked, what was found, and which film is open.

const INLINE_PX = 500;
const WAIT_FOR_RESULT_MS = 2500;
const MOST_COMPARED = 4;

class Viewer {
  constructor() {
    this.app = document.getElementById("app");
    this.host = new Host();
    this.page = null;
    this.question = {};
    this.unlike = [];
    this.past = [];
    this.picked = new Map();
    this.names = new Map();
    this.pictures = null;
    this.problem = null;
    this.hint = null;
    this.isOpen = false;
    this.isBusy = true;
    this.isSteered = false;
    this.reading = null;
    this.asked = 0;
    const bound =
      (name) =>
      (...given) =>
        this[name](...given);
    const can = [
      "ask",
      "back",
      "toggleFilters",
      "fill",
      "open",
      "openId",
      "pick",
      "unpick",
      "compare",
      "mark",
      "unmark",
      "turn",
      "refused",
      "nameOf",
      "step",
      "closeFilm",
    ];
    this.can = Object.fromEntries(can.map((name) => [name, bound(name)]));
    this.gallery = new Gallery(this.host, this.can);
  }

  async start() {
    this.host.on("ui/notifications/tool-input", ({ arguments: input }) => this.#hearInput(input));
    this.host.on("ui/notifications/tool-result", (result) => this.#hearResult(result));
    this.host.on("ui/notifications/tool-cancelled", () => this.#fail("The search was cancelled."));
    this.host.on("ui/notifications/host-context-changed", (change) => this.#adapt(change));
    new ResizeObserver(() => this.#tellSize()).observe(this.app);
    this.render();
    await this.host.start();
    this.#adapt(this.host.context);
    this.#waitForResult();
  }

  // What the host gives: the input, then the result; or only one of them, or neither.

  #hearInput(input) {
    this.question = { ...input };
    this.unlike = [...(input?.unlike ?? [])];
    this.#waitForResult();
    if (!this.page) this.render();
  }

  #hearResult(result) {
    clearTimeout(this.waiting);
    if (this.isSteered) return; // the person has gone on
    const page = dataIn(result, isPage);
    if (page) this.#show(page, Object.keys(this.question).length ? this.question : questionOf(page));
    else if (result?.isError) this.#fail(textsIn(result).join(" ") || "The search failed.");
    else this.#askAgain();
  }

  #waitForResult() {
    clearTimeout(this.waiting);
    if (!this.page) this.waiting = setTimeout(() => this.#askAgain(), WAIT_FOR_RESULT_MS);
  }

  /** The tool only reads: where its result does not arrive, it is called once more. */
  #askAgain() {
    if (Object.keys(this.question).length) return this.ask(this.question, { isNew: false });
    this.isBusy = false;
    this.render();
  }

  #adapt(change) {
    Object.assign(this.host.context, change);
    const { theme, displayMode, containerDimensions: room, safeAreaInsets: edges } = this.host.context;
    const root = document.documentElement;
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    root.dataset.mode = displayMode === "fullscreen" || typeof room?.height === "number" ? "full" : "inline";
    root.style.setProperty("--most", `${Math.min(INLINE_PX, room?.maxHeight ?? INLINE_PX)}px`);
    for (const side of ["top", "right", "bottom", "left"])
      root.style.setProperty(`--edge-${side}`, `${edges?.[side] ?? 0}px`);
    this.render();
  }

  #tellSize() {
    if (document.documentElement.dataset.mode === "full") return;
    const height = Math.ceil(this.app.getBoundingClientRect().height);
    if (height !== this.height) this.host.notify("ui/notifications/size-changed", { height });
    this.height = height;
  }

  // Asking

  /** Ask; the page before can be gone back to. */
  async ask(question, { isNew = true } = {}) {
    const number = ++this.asked;
    const sent = Object.fromEntries(
      Object.entries(question).filter(
        ([, value]) => value !== undefined && value !== null && !(Array.isArray(value) && !value.length),
      ),
    );
    this.isBusy = true;
    this.isSteered ||= isNew;
    this.problem = this.hint = null;
    this.render();
    try {
      const page = dataIn(await this.host.call("search_medical_images", sent), isPage);
      if (number !== this.asked) return;
      if (!page) throw new Refusal("The host passed no results on.");
      if (isNew && this.page) this.past.push({ page: this.page, question: this.question, unlike: this.unlike });
      this.isOpen = false;
      this.#show(page, sent);
      if (isNew) this.#tellSearch(sent, page);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (number === this.asked) this.#fail(error.message);
    }
  }

  #tellSearch(question, page) {
    const found = page.images.map((hit) => `${hit.rank} ${hit.image_id}`);
    this.host.tellModel(`In the viewer the person searched: ${JSON.stringify(question)}. Shown: ${found.join(", ")}.`);
  }

  #show(page, question) {
    clearTimeout(this.waiting);
    Object.assign(this, { page, question, isBusy: false, problem: null, hint: null });
    this.unlike = [...(question.unlike ?? [])];
    for (const hit of page.images) this.names.set(hit.image_id, `${hit.view_position} ${hit.subject_id}`);
    announce(`${counted(page.total_results, question.group)}, ${page.images.length} shown.`);
    this.closeFilm();
    this.app.querySelector(".results")?.scrollTo(0, 0);
    const { opens } = this.host.context; // the film that a host of ours was asked to show
    if (opens && !this.isSteered && page.images.some((hit) => hit.image_id === opens)) this.openId(opens);
  }

  #fail(problem) {
    Object.assign(this, { problem, isBusy: false });
    announce(problem);
    this.render();
  }

  turn(offset) {
    this.ask({ ...this.question, offset });
  }

  back() {
    const before = this.past.pop();
    if (!before) return;
    this.asked += 1;
    this.#show(before.page, before.question);
    this.unlike = before.unlike;
    this.render();
  }

  toggleFilters() {
    this.isOpen = !this.isOpen;
    this.render();
    if (this.isOpen) this.app.querySelector(".filters input")?.focus();
    else this.app.querySelector("[aria-controls=filters]").focus();
  }

  // More like this, not this

  mark(kind, { image_id: id }) {
    const like = (this.question.like ?? []).filter((one) => one !== id);
    const unlike = this.unlike.filter((one) => one !== id);
    const wasMarked = (kind === "like" ? (this.question.like ?? []) : this.unlike).includes(id);
    if (!wasMarked) (kind === "like" ? like : unlike).push(id);
    this.#steer(like, unlike);
  }

  unmark(kind, id) {
    this.mark(kind, { image_id: id });
  }

  #steer(like, unlike) {
    this.unlike = unlike;
    const { offset, ...question } = this.question;
    if (question.exclude_subject_of && !like.includes(question.exclude_subject_of))
      question.exclude_subject_of = like[0];
    const isLeft = like.length || question.query || countOf({ ...question, like: [] });
    if (like.length) this.ask({ ...question, like, unlike });
    else if (this.question.like?.length && isLeft)
      this.ask({ ...question, like: undefined, unlike: undefined, exclude_subject_of: undefined });
    else {
      this.hint = unlike.length
        ? "Mark a film as “more like this” too: the search moves from the one towards the other."
        : null;
      if (this.hint) announce(this.hint);
      this.render();
    }
  }

  nameOf(id) {
    return this.names.get(id) ?? id;
  }

  // Films

  pick(hit) {
    if (this.picked.has(hit.image_id)) this.picked.delete(hit.image_id);
    else if (this.picked.size < MOST_COMPARED) this.picked.set(hit.image_id, hit);
    else announce(`${MOST_COMPARED} films at most.`);
    announce(`${this.picked.size} of ${MOST_COMPARED} films chosen to compare.`);
    this.render();
  }

  unpick() {
    this.picked.clear();
    this.render();
  }

  compare() {
    this.#read([...this.picked.values()]);
  }

  open(hit) {
    this.#read([hit]);
  }

  openId(id) {
    const known = this.page?.images.find((hit) => hit.image_id === id);
    this.#read([
      known ?? { image_id: id, rank: "", view_position: "", subject_id: this.reading?.hits[0].subject_id ?? "" },
    ]);
  }

  step(by) {
    const next = this.#beside(this.reading.hits[0], by);
    if (next) this.#read([next]);
  }

  #beside(hit, by) {
    const images = this.page?.images ?? [];
    const at = images.findIndex(({ image_id: id }) => id === hit.image_id);
    return at < 0 ? undefined : images[at + by];
  }

  #read(hits) {
    this.reading?.close();
    const on = {
      back: this.can.closeFilm,
      step: this.can.step,
      open: this.can.openId,
      fill: this.can.fill,
      refused: this.can.refused,
    };
    const canStep = (by) => Boolean(this.#beside(hits[0], by));
    this.reading = new Reading(this.host, hits, { on, canFill: this.#canFill, canStep, pictures: this.pictures });
    this.render();
    this.reading.start();
    const names = hits.map((hit) => `${hit.rank ? `result ${hit.rank}, ` : ""}image ${hit.image_id}`);
    this.host.tellModel(`In the viewer the person looks at ${names.join("; ")}.`);
  }

  /** Go back to the results, to the film one came from. */
  closeFilm() {
    const last = this.reading?.hits[0].image_id;
    this.reading?.close();
    this.reading = null;
    this.render();
    if (last) [...this.app.querySelectorAll("button.film")].find((button) => button.dataset.image === last)?.focus();
  }

  /** Where pictures may not be had, say so once, and show the rest. */
  refused(error) {
    if (!/MCP_CXR_SHARE/.test(error.message) || this.pictures) return;
    this.pictures = error.message;
    if (!this.reading) this.render();
  }

  // Full screen

  get #canFill() {
    const { availableDisplayModes: modes } = this.host.context;
    return Boolean(modes?.includes("fullscreen") && modes.includes("inline"));
  }

  async fill() {
    const mode = this.host.context.displayMode === "fullscreen" ? "inline" : "fullscreen";
    try {
      const answer = await this.host.request("ui/request-display-mode", { mode });
      this.#adapt({ displayMode: answer?.mode ?? this.host.context.displayMode });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  }

  // Drawing

  /** Draw what is to be seen; the focus stays where it was, as far as that is still there. */
  render() {
    if (this.reading) {
      if (this.drawn !== this.reading) this.app.replaceChildren(...this.reading.render());
      this.drawn = this.reading;
      return;
    }
    this.drawn = null;
    const focused = document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.getAttribute("name");
    const scrolled = this.app.querySelector(".results")?.scrollTop ?? 0;
    const { page, question, unlike, picked, pictures, problem, hint, isOpen, isBusy } = this;
    const state = {
      page,
      question,
      unlike,
      picked,
      pictures,
      problem,
      hint,
      isOpen,
      isBusy,
      history: this.past.length,
      canFill: this.#canFill,
    };
    this.app.replaceChildren(...this.gallery.render(state).filter(Boolean));
    this.app.querySelector(".results")?.scrollTo(0, scrolled);
    if (focused)
      [...this.app.querySelectorAll("button, input, select")]
        .find((one) => one.getAttribute("aria-label") === focused || one.name === focused)
        ?.focus({ preventScroll: true });
  }
}

new Viewer().start();
