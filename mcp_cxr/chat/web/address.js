// The page's address: what is searched, which part of the results, which image is open. It holds no secret, and to open
// such a link only reads. With `--private` it stays empty: the states are kept in this page's memory alone.

const LISTS = ["view", "labels", "labels_absent", "scores", "like", "unlike"];
const TEXTS = ["query", "subject_id", "study_id", "split", "date_from", "date_to", "sex", "exclude_subject_of", "group", "mode"];
const NUMBERS = ["age_from", "age_to"];
const MOST_COMPARED = 4;
const OTHER_SCREENS = ["chat", "check"];

/** The state of an empty address: the first screen. */
export function emptyState() {
  return { search: {}, offset: 0, image: null, compare: [], screen: "search", list: null };
}

export class Address {
  #kept = [];

  constructor(isPrivate) {
    this.isPrivate = isPrivate;
    if (isPrivate && location.hash) history.replaceState(null, "", location.pathname);
  }

  read() {
    if (this.isPrivate) return this.#kept[history.state?.number] ?? emptyState();
    return stateOf(location.hash.slice(1));
  }

  /** Go to a state; `over` says that an image opens over the results, which `back` then closes. */
  push(state, { over = false } = {}) {
    this.#write("pushState", state, this.#kept.length, over);
  }

  /** Put a state in place of the present one. */
  replace(state) {
    this.#write("replaceState", state, history.state?.number ?? this.#kept.length, Boolean(history.state?.over));
  }

  /** Whether the step before this one is what lies under the open image. */
  get isOver() {
    return Boolean(history.state?.over);
  }

  back() {
    history.back();
  }

  #write(how, state, number, over) {
    if (this.isPrivate) this.#kept[number] = state;
    else number = undefined;
    const text = this.isPrivate ? "" : textOf(state);
    history[how]({ number, over }, "", text ? `#${text}` : location.pathname);
  }
}

/** The state that an address names; what it does not know is left out. */
function stateOf(text) {
  const given = new URLSearchParams(text);
  const state = emptyState();
  for (const name of LISTS) if (given.has(name)) state.search[name] = given.getAll(name);
  for (const name of TEXTS) if (given.get(name)) state.search[name] = given.get(name);
  for (const name of NUMBERS) if (/^\d{1,3}$/.test(given.get(name) ?? "")) state.search[name] = Number(given.get(name));
  if (["true", "false"].includes(given.get("has_report"))) state.search.has_report = given.get("has_report") === "true";
  if (/^\d{1,9}$/.test(given.get("offset") ?? "")) state.offset = Number(given.get("offset"));
  state.image = given.get("image") || null;
  state.compare = given.getAll("compare").slice(0, MOST_COMPARED);
  state.screen = OTHER_SCREENS.includes(given.get("screen")) ? given.get("screen") : "search";
  state.list = given.get("list") || null;
  return state;
}

function textOf({ search, offset, image, compare, screen, list }) {
  const given = new URLSearchParams();
  for (const name of [...TEXTS, ...LISTS, ...NUMBERS, "has_report"])
    for (const value of [search[name] ?? []].flat()) given.append(name, value);
  if (offset) given.set("offset", offset);
  if (image) given.set("image", image);
  for (const id of compare) given.append("compare", id);
  if (screen !== "search") given.set("screen", screen);
  if (screen === "check" && list) given.set("list", list);
  return given.toString();
}
