// The images that the user selected. A selection belongs to its search; it survives a reload, unless the page is private.

const KEY = "mcp-cxr-selections";
const HISTORY = "mcp-cxr-searches";
const MOST_SEARCHES = 20;

/** A search as a text that is the same for equal ones. */
export function keyOf(search) {
  return JSON.stringify(Object.entries(search).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export class Selections {
  #bySearch;
  #isPrivate;

  constructor(isPrivate) {
    this.#isPrivate = isPrivate;
    this.#bySearch = new Map(Object.entries(isPrivate ? {} : stored(KEY, {})));
  }

  /** The selected hits of a search by image id. */
  of(search) {
    return new Map((this.#bySearch.get(keyOf(search)) ?? []).map((hit) => [hit.image_id, hit]));
  }

  /** Select an image, or take it out of the selection. */
  toggle(search, { image_id, rank, view_position, subject_id, study_id, study_date, path }) {
    const selected = this.of(search);
    if (!selected.delete(image_id)) selected.set(image_id, { image_id, rank, view_position, subject_id, study_id, study_date, path });
    this.#keep(search, [...selected.values()]);
  }

  clear(search) {
    this.#keep(search, []);
  }

  #keep(search, hits) {
    if (hits.length) this.#bySearch.set(keyOf(search), hits);
    else this.#bySearch.delete(keyOf(search));
    if (!this.#isPrivate) sessionStorage.setItem(KEY, JSON.stringify(Object.fromEntries(this.#bySearch)));
  }
}

/** The searches of this tab, the newest first. */
export class SearchHistory {
  #isPrivate;

  constructor(isPrivate) {
    this.#isPrivate = isPrivate;
    this.searches = isPrivate ? [] : stored(HISTORY, []);
  }

  add(search) {
    const others = this.searches.filter((other) => keyOf(other) !== keyOf(search));
    this.searches = [search, ...others].slice(0, MOST_SEARCHES);
    if (!this.#isPrivate) sessionStorage.setItem(HISTORY, JSON.stringify(this.searches));
  }
}

function stored(key, otherwise) {
  return JSON.parse(sessionStorage.getItem(key) ?? "null") ?? otherwise;
}
