// The search: its state is the page's address; the results, the first screen and the viewer follow it.

import { announce, element, notices } from "/viewer/dom.js";
import { CallError } from "/viewer/host_client.js";
import { counted, dataOf, isImageDetails, isSearchResult, matchesText } from "/viewer/tool_results.js";
import { emptyState } from "./address.js";
import { Home } from "./home.js";
import { Overlay } from "./overlay.js";
import { filterChips, resultsHead } from "./results_head.js";
import { SearchBar } from "./search_bar.js";
import { SearchHistory, Selections, keyOf } from "./selections.js";
import { Thumbnails } from "./thumbnails.js";
import { Wall } from "./wall.js";
import { describe, inWords, whose } from "./words.js";

const PAGE = 24;
const NEWEST = 12;
const EVERYTHING = { view: ["FRONTAL", "LATERAL", "OTHER", "UNKNOWN"] };
const NOTHING = { images: [], search_mode: "filter", total_results: 0, offset: 0 };
const MOST_PAGES = 20; // results that are kept, for the way back
const FILE = /\.(dcm|dicom|png|jpe?g)$|^[~/]|^file:|^[A-Z]:\\/i;
const MAY_BE_FILE = /^\S*[\d_]\S*$/; // `ward_2`: a file's name without its ending, if there is such a file

export class SearchPage {
  #results = new Map();
  #state = null;
  #running = null;
  #steps = 0; // of the user; what was begun before a later one moves the page no more

  constructor(server, address, { folder, hasPacs, places }) {
    Object.assign(this, { server, address, places });
    this.selections = new Selections(address.isPrivate);
    this.history = new SearchHistory(address.isPrivate);
    this.names = new Map();
    this.thumbnails = new Thumbnails(server);
    this.wall = new Wall(this.thumbnails, {
      open: (hit) => this.#open(hit.image_id),
      toggleSelected: (hit) => this.#toggleSelected(hit),
      toggleExample: (kind, hit) => this.#toggleExample(kind, hit.image_id),
    });
    this.bar = new SearchBar(this.history, {
      search: (search) => this.#search(search),
      upload: (file) => this.#upload(file),
      addExample: (id) => this.#toggleExample("like", id),
      saved: () => this.#try(() => this.server.savedQueries(), {}),
      save: (name, search) => this.#try(() => this.server.saveQuery(name, search)),
      deleteSaved: (name) => this.#try(() => this.server.saveQuery(name, null)),
    });
    this.home = new Home(server, { folder, hasPacs }, { search: (search) => this.#search(search), changed: () => this.#archiveChanged() });
    this.overlay = new Overlay(server, places.overlay, places.rest, {
      back: () => this.#closeImage(),
      step: (by) => this.#step(by),
      open: (id) => this.#open(id),
      compare: (hit, other) => this.#go({ image: null, compare: [hit.image_id, other.image_id] }, { over: true }),
      canStep: (hit, by) => Boolean(this.#neighbor(hit, by) || (this.#indexOf(hit) >= 0 && this.#offsetBeyond(by) !== null)),
      neighbor: (hit, by) => this.#neighbor(hit, by),
    });
    this.head = element("section", { class: "results-head", "aria-label": "Results" });
    this.body = element("section", { class: "results-body", "aria-label": "Images", tabindex: -1 });
    places.bar.replaceChildren(this.bar.root);
    places.panels.replaceChildren(...this.bar.panels);
    places.content.replaceChildren(this.head, this.body);
    this.#listenForFiles();
    this.body.addEventListener("scroll", () => {
      clearTimeout(this.placeTimer);
      this.placeTimer = setTimeout(() => this.#keepPlace(), 200); // a browser takes few changes a second
    }, { passive: true });
  }

  /** Show what the address names. */
  async follow() {
    this.#say(null);
    this.#steps += 1;
    const state = this.address.read();
    const before = this.#state;
    this.#state = state;
    clearTimeout(this.placeTimer); // the scrolled wall was that of the step before
    const isSame = before && isSameSearch(before, state);
    if (!isSame) this.bar.show(state.search);
    if (!isSame || !this.page) await this.#load(state);
    if (this.#state === state) this.#followImage();
  }

  /** Another screen is shown: close the image, and open none that is awaited. */
  leave() {
    if (!this.#state) return;
    this.#steps += 1;
    this.#state = { ...this.#state, image: null, compare: [] };
    this.#followImage();
  }

  /** Repeat a search that failed: the server runs again. */
  retry() {
    if (this.failed) this.#load(this.#state);
  }

  // Going places

  #go(change, how) {
    this.#keepPlace();
    const state = { ...this.#state, ...change };
    this.address.push(state, how);
    return this.follow();
  }

  async #search(search) {
    if (search.unlike?.length && !search.query && !search.like?.length)
      return this.#say("Also search by words, or mark an image as “More like this”; “Not like this” does not work alone.");
    const { query = "" } = search;
    if (FILE.test(query)) return this.#openFile(query, (error) => this.#say(error.message));
    const byWords = () => this.#go({ ...emptyState(), search });
    await (MAY_BE_FILE.test(query) ? this.#openFile(query, byWords) : byWords());
  }

  /** Open an image by the name or path of its file, unless the user goes on meanwhile; if there is none, call `without`. */
  async #openFile(name, without) {
    const step = (this.#steps += 1);
    this.#say(`Looking for the file ${name} …`);
    try {
      const details = dataOf(await this.server.call("get_image_metadata", { image_id: name }), isImageDetails);
      if (this.#steps !== step) return;
      if (!details) throw new CallError("The server returned no details.");
      await this.#open(details.image_id);
      if (this.bar.words === name) this.bar.show(this.#state.search); // the wall below still shows that search
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      if (this.#steps === step) await without(error);
    }
  }

  #open(image) {
    if (!this.overlay.isOpen) return this.#go({ image, compare: [] }, { over: true });
    this.address.replace({ ...this.#state, image, compare: [] });
    return this.follow();
  }

  #closeImage() {
    if (this.address.isOver) return this.address.back();
    this.address.replace({ ...this.#state, image: null, compare: [] });
    return this.follow();
  }

  async #step(by) {
    const here = this.page?.images.find((hit) => hit.image_id === this.#state.image);
    if (!here) return;
    const next = this.#neighbor(here, by);
    if (next) return this.#open(next.image_id);
    const offset = this.#offsetBeyond(by);
    if (offset === null) return;
    const page = await this.#try(() => this.#resultOf({ ...this.#state, offset }));
    if (!page?.images.length || this.#state.image !== here.image_id) return;
    this.address.replace({ ...this.#state, offset, image: page.images.at(by > 0 ? 0 : -1).image_id });
    await this.follow();
  }

  #indexOf(hit) {
    return this.page?.images.findIndex(({ image_id: id }) => id === hit.image_id) ?? -1;
  }

  #neighbor(hit, by) {
    const index = this.#indexOf(hit);
    return index < 0 ? undefined : this.page.images[index + by];
  }

  /** Where the results before or after this page begin; null if there are none. */
  #offsetBeyond(by) {
    if (this.isLoading || !Object.keys(this.#state.search).length) return null;
    if (by < 0) return this.page.offset ? Math.max(0, this.page.offset - PAGE) : null;
    return this.page.next_offset ?? null;
  }

  #followImage() {
    const { image, compare } = this.#state;
    const ids = compare.length > 1 ? compare : image ? [image] : [];
    if (ids.length) {
      this.overlay.show(ids, [...(this.page?.images ?? []), ...this.selections.of(this.#state.search).values()]);
      return;
    }
    if (!this.overlay.isOpen) return;
    const last = this.overlay.close();
    if (last) this.wall.focus(last);
    else this.head.querySelector("button")?.focus();
  }

  // Searching

  /** Search, and show the results unless another search was begun meanwhile. */
  async #load(state) {
    this.#running?.abort();
    const { signal } = (this.#running = new AbortController());
    this.failed = false;
    this.isLoading = true;
    document.title = this.address.isPrivate || !Object.keys(state.search).length ? "Chest X-rays" : `${describe(state.search)} – Chest X-rays`;
    const place = history.state?.place ?? 0;
    const slow = setTimeout(() => this.#drawSearching(state), 200);
    signal.addEventListener("abort", () => clearTimeout(slow));
    try {
      const page = await this.#resultOf(state, signal);
      await this.#nameExamples(state.search);
      if (signal.aborted) return;
      this.#show(page, state);
      this.body.scrollTo(0, place);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof CallError)) throw error;
      this.#drawProblem(error.message);
    } finally {
      clearTimeout(slow);
      if (!signal.aborted) this.isLoading = false;
    }
  }

  /** Whether a search runs, and the wall shows the results of one before. */
  get isLoading() {
    return this.body.ariaBusy === "true";
  }

  set isLoading(isLoading) {
    this.body.ariaBusy = String(isLoading);
  }

  /** The results of a state; those of the first screen are the newest studies. */
  async #resultOf({ search, offset }, signal) {
    const isHome = !Object.keys(search).length;
    const key = keyOf({ ...search, offset });
    const results = this.#results;
    if (results.has(key)) return results.get(key);
    const args = isHome ? { ...EVERYTHING, limit: NEWEST } : { ...search, limit: PAGE, offset };
    const [searched, filled] = await Promise.allSettled([
      this.server.call(search.scores ? "search_by_finding_score" : "search_medical_images", args, { signal }),
      isHome ? this.home.fill() : true,
    ]);
    if (filled.status === "rejected") throw filled.reason;
    if (!filled.value) return NOTHING; // an empty archive refuses searches
    if (searched.status === "rejected") throw searched.reason;
    const page = dataOf(searched.value, isSearchResult);
    if (!page) throw new CallError("The server returned no results.");
    results.set(key, page); // kept no longer if the archive was changed meanwhile
    if (results.size > MOST_PAGES) results.delete(results.keys().next().value);
    for (const hit of page.images) this.names.set(hit.image_id, `${hit.view_position} ${whose(hit)}`);
    return page;
  }

  /** Learn the names of uploads that the address names; they are gone if the server was started again. */
  async #nameExamples({ like = [] }) {
    for (const id of like)
      if (id.startsWith("upload:") && !this.names.has(id)) this.names.set(id, await this.server.nameOfUpload(id));
  }

  #show(page, state) {
    this.page = page;
    this.shown = state;
    this.isLoading = false;
    const isHome = !Object.keys(state.search).length;
    this.wall.show(page, this.#marks());
    this.#drawHead();
    const empty = element("p", { class: "empty" }, "No image matches. Try other words or fewer filters.");
    if (!isHome) this.body.replaceChildren(page.images.length ? this.wall.list : empty);
    else if (!this.body.contains(this.home.root)) this.body.replaceChildren(this.home.root, this.wall.list); // else the focus stays
    this.overlay.updateSteps();
    if (isHome) return this.home.follow();
    this.history.add(state.search);
    announce(`${matchesText(page, state.search.group) ?? counted(page.total_results, state.search.group)}. ${page.images.length} shown.`);
  }

  #drawHead() {
    if (this.isLoading) return;
    const { search } = this.#state;
    this.head.hidden = !Object.keys(search).length;
    if (this.head.hidden || !this.page) return this.head.replaceChildren();
    const focused = this.head.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent : null;
    this.head.replaceChildren(
      ...resultsHead(
        { page: this.page, search, selected: this.selections.of(search), thumbnails: this.thumbnails, nameOf: (id) => this.names.get(id) ?? id, server: this.server, say: (text) => this.#say(text), size: PAGE },
        {
          search: (changed) => this.#search(changed),
          goTo: (offset) => this.#go({ offset }),
          compare: () => this.#go({ compare: [...this.selections.of(search).keys()] }, { over: true }),
          clearSelection: () => this.#clearSelection(),
          selectAll: () => this.#selectAll(),
          removeExample: (kind, id) => this.#toggleExample(kind, id),
        },
      ),
    );
    if (focused) [...this.head.querySelectorAll("button")].find((one) => (one.getAttribute("aria-label") ?? one.textContent) === focused)?.focus();
  }

  #drawSearching(state) {
    const { search } = state;
    const stop = () => {
      this.#running.abort();
      if (!this.page) this.#go(emptyState()); // the step before this one may be another site
      else if (isSameSearch(this.shown, state)) this.#show(this.page, state);
      else this.address.back();
    };
    this.head.hidden = false;
    this.head.replaceChildren(
      element("div", { class: "head-line" }, element("p", { class: "grow" }, `Searching: ${describe(search) || "the newest studies"} …`), element("button", { type: "button", class: "tool labeled", onclick: stop }, "Stop")),
    );
  }

  #drawProblem(message) {
    this.failed = true;
    this.page = null;
    this.head.hidden = false;
    const chips = filterChips(this.#state.search, { search: (search) => this.#search(search) });
    const again = element("button", { type: "button", class: "tool labeled", onclick: () => this.retry() }, "Try again");
    this.head.replaceChildren(...[notices([message]), chips, again].filter(Boolean));
    this.body.replaceChildren();
    announce(message);
  }

  #archiveChanged() {
    this.#results = new Map();
    this.server.forget();
    if (!Object.keys(this.#state.search).length) this.#load(this.#state);
  }

  // Selecting and marking

  /** The marks of the wall that is shown; while a search runs, that of the one before. */
  #marks() {
    const { search } = this.shown;
    return { selected: this.selections.of(search), like: search.like ?? [], unlike: search.unlike ?? [] };
  }

  #toggleSelected(hit) {
    this.selections.toggle(this.shown.search, hit);
    this.#selectionChanged();
  }

  #selectAll() {
    const selected = this.selections.of(this.shown.search);
    for (const hit of this.page.images) if (!selected.has(hit.image_id)) this.selections.toggle(this.shown.search, hit);
    this.#selectionChanged();
  }

  #clearSelection() {
    this.selections.clear(this.shown.search);
    this.#selectionChanged();
  }

  #selectionChanged() {
    this.wall.mark(this.#marks());
    this.#drawHead();
    announce(`${this.selections.of(this.shown.search).size} images selected.`);
  }

  /** Search by an image, or away from it; a second time removes it. */
  async #toggleExample(kind, id) {
    const search = { ...this.#state.search };
    const wasMarked = search[kind]?.includes(id);
    for (const name of ["like", "unlike"]) {
      search[name] = (search[name] ?? []).filter((one) => one !== id);
      if (!wasMarked && name === kind) search[name].push(id);
      if (!search[name].length) delete search[name];
    }
    if (search.exclude_subject_of && !search.like?.includes(search.exclude_subject_of)) delete search.exclude_subject_of;
    await this.#search(search);
  }

  // Uploads

  /** Search by a file; if the user has gone on when it was read, say so instead. */
  async #upload(file) {
    this.#say(`Reading ${file.name} …`);
    const step = this.#steps;
    try {
      const { id, name } = await this.server.upload(file);
      this.names.set(id, name);
      const find = () => this.#toggleExample("like", id);
      if (this.#steps === step) await find();
      else this.#say(`${name} was read. `, element("button", { type: "button", class: "tool labeled", onclick: find }, "Find similar"));
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.#say(`${file.name} was not taken: ${inWords(error.message)}`);
    }
  }

  #listenForFiles() {
    const { rest } = this.places;
    rest.addEventListener("dragover", (event) => event.preventDefault());
    rest.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) this.#upload(event.dataTransfer.files[0]);
    });
  }

  /** Show a message until the next one; null removes it. */
  #say(text, ...controls) {
    this.places.message.hidden = !text;
    this.places.message.replaceChildren(text ?? "", ...controls);
  }

  /** Return what `act` returns; a refusal is shown instead. */
  async #try(act, otherwise) {
    this.#say(null);
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.#say(error.message);
      return otherwise;
    }
  }

  /** Keep how far the wall was scrolled, for Back and for a reload. */
  #keepPlace() {
    clearTimeout(this.placeTimer);
    if (!this.isLoading) history.replaceState({ ...history.state, place: Math.round(this.body.scrollTop) }, "");
  }
}

function isSameSearch(one, other) {
  return keyOf(one.search) === keyOf(other.search) && one.offset === other.offset;
}
