// What stands above the wall: what was found and how it was read, the filters and examples in force, the selection,
// the export, and the pages.

import { element, iconButton, notices } from "/viewer/dom.js";
import { MODES, counted, matchesText, understoodText } from "/viewer/tool_results.js";
import { withoutFilters } from "./filters.js";
import { exportForm } from "./export_form.js";
import { popoverButton } from "./popover.js";
import { parts } from "./words.js";

const MOST_COMPARED = 4;

/** Return the elements; `on`: search, goTo (an offset), compare, clearSelection, selectAll, removeExample. */
export function resultsHead({ page, search, selected, thumbnails, nameOf, server, say, size }, on) {
  const [exportButton, exportPanel] = popoverButton("download", "Export", (close) => exportForm({ page, search, selected, server, say, close }), { words: true });
  return [
    element(
      "div",
      { class: "head-line" },
      summary(page, search),
      element("div", { class: "row" }, ...selectionButtons(page, selected, on), exportButton, exportPanel),
      element("nav", { class: "row", "aria-label": "Pages of results" }, ...pager(page, size, on)),
    ),
    page.understood ? element("p", { class: "read-as" }, `Read as: ${understoodText(page.understood)}`) : null,
    filterChips(search, on),
    examples({ search, thumbnails, nameOf }, on),
    notices([page.fallback_reason, ...(page.warnings ?? [])]),
  ].filter(Boolean);
}

function summary(page, search) {
  const found = matchesText(page, search.group) ?? counted(page.total_results, search.group);
  const isByScore = search.scores && page.search_mode === "filter";
  const order = isByScore ? `by the score of ${search.scores[0]}` : (MODES[page.search_mode] ?? page.search_mode);
  return element("h1", { class: "grow" }, `${found} `, element("small", {}, order));
}

/** "1–24 of 162 that match": what this page shows of the matches, or of all if nothing can match. */
function rangeText(page) {
  if (!page.images.length) return "0";
  const number = (count) => count.toLocaleString("en");
  const [first, last] = [page.offset + 1, page.offset + page.images.length];
  const range = `${number(first)}–${number(last)}`;
  if (typeof page.matched_results !== "number") return `${range} of ${number(page.total_results)}`;
  const matches = page.matched_results;
  if (first > matches) return `${range}, after ${number(matches)} that match`;
  return last > matches && page.images.some(({ matched }) => matched !== "full")
    ? `${number(first)}–${number(Math.min(last, matches))} of ${number(matches)} that match, and others`
    : `${range} of ${number(matches)} that match`;
}

function pager(page, size, on) {
  return [
    iconButton("back", "Previous page", () => on.goTo(Math.max(0, page.offset - size)), { disabled: !page.offset }),
    element("span", { class: "page-range" }, rangeText(page)),
    iconButton("next", "Next page", () => on.goTo(page.next_offset), { disabled: typeof page.next_offset !== "number" }),
  ];
}

function selectionButtons(page, selected, on) {
  if (!selected.size)
    return page.images.length ? [element("button", { type: "button", class: "tool labeled", onclick: on.selectAll }, "Select all shown")] : [];
  const tooMany = selected.size > MOST_COMPARED;
  return [
    element("span", { class: "muted" }, `${selected.size} selected`),
    iconButton("compare", "Compare", on.compare, {
      words: true,
      class: "primary",
      disabled: selected.size < 2 || tooMany,
      title: tooMany ? `At most ${MOST_COMPARED} images can be compared` : "Show the selected images side by side",
    }),
    iconButton("close", "Clear the selection", on.clearSelection),
  ];
}

/** The filters in force, each to be removed; null if there are none. */
export function filterChips(search, on) {
  const found = parts(search);
  if (!found.length) return null;
  return element(
    "ul",
    { class: "chips", "aria-label": "Filters in force" },
    found.map(({ text, rest }) => element("li", {}, text, iconButton("close", `Remove the filter: ${text}`, () => on.search(rest)))),
    element("li", { class: "all" }, element("button", { type: "button", class: "tool labeled", onclick: () => on.search(withoutFilters(search)) }, "Clear all")),
  );
}

/** The example images of the search, each with its picture. */
function examples({ search, thumbnails, nameOf }, on) {
  const shown = ["like", "unlike"].flatMap((kind) => (search[kind] ?? []).map((id) => [kind, id]));
  if (!shown.length) return null;
  return element(
    "ul",
    { class: "examples", "aria-label": "Example images" },
    shown.map(([kind, id]) => {
      const frame = element("span", { class: "frame" });
      thumbnails.fill(frame, id);
      const isOwn = id.startsWith("upload:");
      return element(
        "li",
        { class: kind },
        frame,
        element("span", { class: "grow" }, element("b", {}, isOwn ? "Your image" : kind === "like" ? "More like this" : "Not like this"), " ", nameOf(id)),
        iconButton("close", `Remove the example ${nameOf(id)}`, () => on.removeExample(kind, id)),
      );
    }),
  );
}
