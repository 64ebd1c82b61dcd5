// The wall of images: one tile for each hit, worked by pointer or by keys.
//
// One tile at a time is in the order of the Tab key; arrows move to the others.

import { element, iconButton } from "/viewer/dom.js";
import { presentLabels, restHeading, similarityOf } from "/viewer/tool_results.js";
import { fileName, reasons, shortReason, viewWords, whose } from "./words.js";

export class Wall {
  /** @param on open, toggleSelected, toggleExample: called with a hit. */
  constructor(thumbnails, on) {
    this.thumbnails = thumbnails;
    this.on = on;
    this.list = element("ol", { class: "wall", "aria-label": "Images", onkeydown: (event) => this.#key(event) });
    this.list.addEventListener("focusin", ({ target }) => this.#enter(target.closest(".tile")));
  }

  /** Draw the hits of a page; `state` names those that are selected, or examples of the search. */
  show(page, state) {
    this.thumbnails.clear();
    this.page = page;
    const rest = restHeading(page);
    this.list.start = page.images[0]?.rank ?? 1;
    this.list.replaceChildren(
      ...page.images.flatMap((hit) => [
        ...(hit.rank === rest?.rank ? [element("li", { class: "rest" }, rest.text)] : []),
        this.#tile(hit, state),
      ]),
    );
    this.#enter(this.#tiles[0]);
  }

  /** Mark the tiles that are selected now. */
  mark({ selected }) {
    for (const tile of this.#tiles) {
      const isSelected = selected.has(tile.dataset.image);
      tile.classList.toggle("selected", isSelected);
      tile.querySelector(".select input").checked = isSelected;
    }
  }

  /** Put the focus on an image, and show it. */
  focus(image) {
    const tile = this.#tiles.find((one) => one.dataset.image === image);
    tile?.querySelector(".open").focus({ preventScroll: true });
    tile?.scrollIntoView({ block: "nearest" });
  }

  get #tiles() {
    return [...this.list.querySelectorAll(".tile")];
  }

  #tile(hit, { selected, like, unlike }) {
    const frame = element("span", { class: "frame" }, element("small", {}, viewWords(hit.view_position)));
    const more = `more-${hit.rank}`;
    const caption = captionOf(hit);
    const open = element(
      "button",
      { type: "button", class: "open", tabindex: -1, "aria-label": `Open image ${hit.rank}: ${caption.join(", ")}`, "aria-describedby": more, onclick: () => this.on.open(hit) },
      frame,
      element("span", { class: "caption" }, element("b", {}, String(hit.rank)), ...captionParts(hit)),
    );
    this.thumbnails.fill(frame, hit.image_id);
    return element(
      "li",
      { class: selected.has(hit.image_id) ? "tile selected" : "tile", "data-image": hit.image_id, "data-rank": hit.rank },
      open,
      this.#select(hit, selected.has(hit.image_id)),
      element(
        "div",
        { class: "marks" },
        this.#example("like", "More like this", hit, like.includes(hit.image_id)),
        this.#example("unlike", "Not like this", hit, unlike.includes(hit.image_id)),
      ),
      element("div", { class: "more", id: more }, moreAbout(hit)),
    );
  }

  #select(hit, isSelected) {
    const box = element("input", { type: "checkbox", tabindex: -1, "aria-label": `Select image ${hit.rank}`, onchange: () => this.on.toggleSelected(hit) });
    box.checked = isSelected;
    return element("label", { class: "select", title: "Select (X)" }, box);
  }

  #example(kind, words, hit, isMarked) {
    const button = iconButton(kind, `${words}: image ${hit.rank}`, () => this.on.toggleExample(kind, hit), { "aria-pressed": String(isMarked), tabindex: -1 });
    button.title = words;
    return button;
  }

  // Keys

  #enter(tile) {
    if (!tile || tile === this.entered) return;
    for (const [one, index] of [[this.entered, -1], [tile, 0]])
      for (const control of one?.querySelectorAll("button, input") ?? []) control.tabIndex = index;
    this.entered = tile;
  }

  #key(event) {
    const tile = event.target.closest(".tile");
    if (!tile || event.ctrlKey || event.metaKey || event.altKey) return;
    const tiles = this.#tiles;
    const at = tiles.indexOf(tile);
    const columns = tiles.filter((one) => one.offsetTop === tiles[0].offsetTop).length;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: tiles.length - 1 }[event.key];
    if (to !== undefined) tiles[to]?.querySelector(".open").focus();
    else if (event.key.toLowerCase() === "x") tile.querySelector(".select input").click();
    else return;
    event.preventDefault();
  }
}

/** What is said below an image: view, date, and why it was found. */
function captionOf(hit) {
  return [viewWords(hit.view_position), hit.study_date, shortReason(hit)].filter(Boolean);
}

/** The caption; a view that is not known is said in small print. */
function captionParts(hit) {
  const view = viewWords(hit.view_position);
  return [
    element(hit.view_position === "UNKNOWN" ? "small" : "span", {}, view),
    hit.study_date ? element("span", { class: "date" }, hit.study_date) : null,
    shortReason(hit) ? element("span", { class: "reason" }, shortReason(hit)) : null,
  ].filter(Boolean).flatMap((part) => [" ", part]);
}

function moreAbout(hit) {
  const similarity = similarityOf(hit);
  const labels = presentLabels(hit.labels);
  const name = fileName(hit.path);
  return [
    element("p", {}, `${whose(hit)}${hit.study_date ? `, ${hit.study_date}` : ""}`),
    hit.matched === "part" ? element("p", {}, `Matches in part: ${(hit.missing ?? []).join("; ")}`) : null,
    reasons(hit).length ? element("p", {}, reasons(hit).join("; ")) : null,
    labels.length ? element("p", {}, `Labels: ${labels.join(", ")}`) : null,
    hit.report_excerpt ? element("p", {}, hit.report_excerpt) : null,
    name ? element("p", {}, `File ${name}`) : null,
    similarity ? element("p", {}, similarity.text) : null,
  ].filter(Boolean);
}
