// The page: holds the search, its results, the selection and the open image.

import { announce } from "./dom.js";
import { Gallery } from "./gallery.js";
import { CallError } from "./host_client.js";
import { ImageViewer } from "./image_viewer.js";
import { activeFilters } from "./search_form.js";
import { counted, dataOf, isSearchResult, matchesText, searchOf, textsOf } from "./tool_results.js";

const WAIT_FOR_RESULT_MS = 2500;
const MAX_COMPARED = 4;

export class App {
  /** @param host Calls the tools, and shows the page: a chat's `HostClient`, or the one of `mcp-cxr chat`. */
  constructor(host) {
    this.app = document.getElementById("app");
    this.host = host;
    this.page = null;
    this.search = {};
    this.unlike = [];
    this.previous = [];
    this.selected = new Map();
    this.names = new Map();
    this.notShared = null;
    this.problem = null;
    this.hint = null;
    this.filtersOpen = false;
    this.isBusy = true;
    this.isUserDriven = false;
    this.imageViewer = null;
    this.requestNumber = 0;
    const bound =
      (name) =>
      (...args) =>
        this[name](...args);
    const names = [
      "runSearch",
      "back",
      "toggleFilters",
      "toggleFullscreen",
      "open",
      "openId",
      "toggleSelected",
      "clearSelection",
      "compare",
      "compareWith",
      "toggleExample",
      "removeExample",
      "goToOffset",
      "callFailed",
      "nameOf",
      "step",
      "closeImage",
    ];
    this.actions = Object.fromEntries(names.map((name) => [name, bound(name)]));
    this.gallery = new Gallery(this.host, this.actions);
  }

  async start() {
    this.host.on("ui/notifications/tool-input", ({ arguments: input }) => this.#receiveInput(input));
    this.host.on("ui/notifications/tool-result", (result) => this.#receiveResult(result));
    this.host.on("ui/notifications/tool-cancelled", () => this.#receiveCancellation());
    this.host.on("ui/notifications/host-context-changed", (change) => this.#applyContext(change));
    this.render();
    await this.host.start();
    this.#applyContext(this.host.context);
    new ResizeObserver(() => this.#reportSize()).observe(this.app); // only now it is known if the host fixes the height
    this.#waitForResult();
  }

  // A host may send the tool's input, then its result; or only one of them, or neither.

  #receiveInput(input) {
    this.search = { ...input };
    this.unlike = [...(input?.unlike ?? [])];
    this.#waitForResult();
    if (!this.page) this.render();
  }

  #receiveResult(result) {
    clearTimeout(this.resultTimer);
    if (this.isUserDriven) return; // the user has searched since
    this.requestNumber += 1; // a repeated search need not answer any more
    const page = dataOf(result, isSearchResult);
    if (page) this.#show(page, Object.keys(this.search).length ? this.search : searchOf(page));
    else if (result?.isError) this.#fail(textsOf(result).join(" ") || "The search failed.");
    else this.#repeatSearch();
  }

  #receiveCancellation() {
    clearTimeout(this.resultTimer);
    if (!this.isUserDriven && !this.page) this.#fail("The search was cancelled.");
  }

  #waitForResult() {
    clearTimeout(this.resultTimer);
    if (!this.page) this.resultTimer = setTimeout(() => this.#repeatSearch(), WAIT_FOR_RESULT_MS);
  }

  /** The tool only reads: if its result does not arrive, it is called once more. */
  #repeatSearch() {
    if (Object.keys(this.search).length) return this.runSearch(this.search, { isNew: false });
    this.isBusy = false;
    this.render();
  }

  #applyContext(change) {
    Object.assign(this.host.context, change);
    const { theme, displayMode, containerDimensions: size, safeAreaInsets: insets } = this.host.context;
    const root = document.documentElement;
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    root.dataset.mode = displayMode === "fullscreen" || typeof size?.height === "number" ? "full" : "inline";
    if (typeof size?.maxHeight === "number") root.style.setProperty("--max-height", `${size.maxHeight}px`);
    else root.style.removeProperty("--max-height"); // the host follows the content
    for (const side of ["top", "right", "bottom", "left"])
      root.style.setProperty(`--inset-${side}`, `${insets?.[side] ?? 0}px`);
    this.render();
  }

  #reportSize() {
    if (document.documentElement.dataset.mode === "full") return;
    const height = Math.ceil(this.app.getBoundingClientRect().height);
    if (height !== this.height) this.host.notify("ui/notifications/size-changed", { height });
    this.height = height;
  }

  // Searching

  /** Search; a new search keeps the results shown before for `back`. */
  async runSearch(search, { isNew = true } = {}) {
    const number = ++this.requestNumber;
    const sent = Object.fromEntries(
      Object.entries(search).filter(
        ([, value]) => value !== undefined && value !== null && !(Array.isArray(value) && !value.length),
      ),
    );
    this.isBusy = true;
    this.isUserDriven ||= isNew;
    this.problem = this.hint = null;
    this.render();
    try {
      const page = dataOf(await this.host.call("search_medical_images", sent), isSearchResult);
      if (number !== this.requestNumber) return;
      if (!page) throw new CallError("The host returned no results.");
      if (isNew && this.page) this.previous.push({ page: this.page, search: this.search, unlike: this.unlike });
      this.filtersOpen = false;
      this.#show(page, sent);
      if (isNew) this.#reportSearch(sent, page);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      if (number === this.requestNumber) this.#fail(error.message);
    }
  }

  #reportSearch(search, page) {
    const found = page.images.map((hit) => `${hit.rank} ${hit.image_id}`);
    this.host.updateModelContext(`In the viewer the user searched: ${JSON.stringify(search)}. Shown: ${found.join(", ")}.`);
  }

  #show(page, search) {
    clearTimeout(this.resultTimer);
    Object.assign(this, { page, search, isBusy: false, problem: null, hint: null });
    this.unlike = [...(search.unlike ?? [])];
    for (const hit of page.images) this.names.set(hit.image_id, `${hit.view_position} ${hit.subject_id}`);
    const found = matchesText(page, search.group) ?? counted(page.total_results, search.group);
    announce(`${found}. ${page.images.length} shown.`);
    this.imageViewer?.updateSteps();
    this.render(); // below an image that was opened meanwhile
    this.app.querySelector(".results")?.scrollTo(0, 0);
  }

  #fail(problem) {
    Object.assign(this, { problem, isBusy: false });
    announce(problem);
    this.render();
  }

  goToOffset(offset) {
    this.runSearch({ ...this.search, offset });
  }

  back() {
    const state = this.previous.pop();
    if (!state) return;
    this.requestNumber += 1;
    this.#show(state.page, state.search);
    this.unlike = state.unlike;
    this.render();
  }

  toggleFilters() {
    this.filtersOpen = !this.filtersOpen;
    this.render();
    if (this.filtersOpen) this.app.querySelector(".filters input")?.focus();
    else this.app.querySelector("[aria-controls=filters]").focus();
  }

  // More like this, not this

  toggleExample(kind, { image_id: id }) {
    const like = (this.search.like ?? []).filter((marked) => marked !== id);
    const unlike = this.unlike.filter((marked) => marked !== id);
    const wasMarked = (kind === "like" ? (this.search.like ?? []) : this.unlike).includes(id);
    if (!wasMarked) (kind === "like" ? like : unlike).push(id);
    this.#searchByExamples(like, unlike);
  }

  removeExample(kind, id) {
    this.toggleExample(kind, { image_id: id });
  }

  #searchByExamples(like, unlike) {
    this.unlike = unlike;
    const { offset, ...search } = this.search;
    if (search.exclude_subject_of && !like.includes(search.exclude_subject_of))
      search.exclude_subject_of = like[0];
    const hasOther = like.length || search.query || activeFilters({ ...search, like: [] });
    if (like.length) this.runSearch({ ...search, like, unlike });
    else if (this.search.like?.length && hasOther)
      this.runSearch({ ...search, like: undefined, unlike: undefined, exclude_subject_of: undefined });
    else {
      this.hint = unlike.length
        ? "Also mark at least one image as “More like this”; “Not this” works only together with it."
        : null;
      if (this.hint) announce(this.hint);
      this.render();
    }
  }

  nameOf(id) {
    return this.names.get(id) ?? id;
  }

  // Images

  toggleSelected(hit) {
    if (this.selected.has(hit.image_id)) this.selected.delete(hit.image_id);
    else if (this.selected.size < MAX_COMPARED) this.selected.set(hit.image_id, hit);
    else announce(`${MAX_COMPARED} images at most can be compared.`);
    announce(`${this.selected.size} of ${MAX_COMPARED} images selected to compare.`);
    this.render();
  }

  clearSelection() {
    this.selected.clear();
    this.render();
  }

  compare() {
    this.#openViewer([...this.selected.values()]);
  }

  open(hit) {
    this.#openViewer([hit]);
  }

  openId(id) {
    const known = this.page?.images.find((hit) => hit.image_id === id);
    this.#openViewer([
      known ?? { image_id: id, rank: "", view_position: "", subject_id: this.imageViewer?.hits[0].subject_id ?? "" },
    ]);
  }

  step(by) {
    const next = this.#neighbor(this.imageViewer.hits[0], by);
    if (next) this.#openViewer([next]);
  }

  #neighbor(hit, by) {
    const images = this.page?.images ?? [];
    const index = images.findIndex(({ image_id: id }) => id === hit.image_id);
    return index < 0 ? undefined : images[index + by];
  }

  /** Compare the open image with one of another study; back leads to the image again. */
  compareWith(hit, other) {
    this.#openViewer([hit, other], hit);
  }

  #openViewer(hits, opener = null) {
    this.imageViewer?.close();
    const on = {
      back: opener ? () => this.open(opener) : this.actions.closeImage,
      compare: this.actions.compareWith,
      step: this.actions.step,
      open: this.actions.openId,
      toggleFullscreen: this.actions.toggleFullscreen,
      callFailed: this.actions.callFailed,
    };
    const canStep = (by) => Boolean(this.#neighbor(hits[0], by));
    this.imageViewer = new ImageViewer(this.host, hits, { on, canFullscreen: this.#canFullscreen, canStep, notShared: this.notShared, backTo: opener ? "Back to the image" : undefined });
    this.render();
    this.imageViewer.start();
    const names = hits.map((hit) => `${hit.rank ? `result ${hit.rank}, ` : ""}image ${hit.image_id}`);
    this.host.updateModelContext(`In the viewer the user looks at ${names.join("; ")}.`);
  }

  /** Return to the results, with the focus on the image that was open. */
  closeImage() {
    const last = this.imageViewer?.hits[0].image_id;
    this.imageViewer?.close();
    this.imageViewer = null;
    this.render();
    if (last) [...this.app.querySelectorAll("button.thumbnail")].find((button) => button.dataset.image === last)?.focus();
  }

  /** If images are not shared, say so once, and show the rest. */
  callFailed(error) {
    if (!/MCP_CXR_SHARE/.test(error.message) || this.notShared) return;
    this.notShared = error.message;
    if (!this.imageViewer) this.render();
  }

  // Full screen

  get #canFullscreen() {
    const { availableDisplayModes: modes } = this.host.context;
    return Boolean(modes?.includes("fullscreen") && modes.includes("inline"));
  }

  async toggleFullscreen() {
    const mode = this.host.context.displayMode === "fullscreen" ? "inline" : "fullscreen";
    try {
      const answer = await this.host.request("ui/request-display-mode", { mode });
      this.#applyContext({ displayMode: answer?.mode ?? this.host.context.displayMode });
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
    }
  }

  // Drawing

  /** Draw the results or the open image; the focus stays on the same control if it is still there. */
  render() {
    if (this.imageViewer) {
      if (this.drawn !== this.imageViewer) this.app.replaceChildren(...this.imageViewer.render());
      this.drawn = this.imageViewer;
      return;
    }
    this.drawn = null;
    const focused = document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.getAttribute("name");
    const scrolled = this.app.querySelector(".results")?.scrollTop ?? 0;
    const { page, search, unlike, selected, notShared, problem, hint, filtersOpen, isBusy } = this;
    const state = {
      page,
      search,
      unlike,
      selected,
      notShared,
      problem,
      hint,
      filtersOpen,
      isBusy,
      history: this.previous.length,
      canFullscreen: this.#canFullscreen,
    };
    this.app.replaceChildren(...this.gallery.render(state).filter(Boolean));
    this.app.querySelector(".results")?.scrollTo(0, scrolled);
    if (focused)
      [...this.app.querySelectorAll("button, input, select")]
        .find((control) => control.getAttribute("aria-label") === focused || control.name === focused)
        ?.focus({ preventScroll: true });
  }
}
