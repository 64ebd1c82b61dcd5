// The bar at the top: words, filters, example images, and earlier searches.

import { element, icon, iconButton } from "/viewer/dom.js";
import { countFilters, filterForm } from "./filters.js";
import { popoverButton } from "./popover.js";
import { describe } from "./words.js";

const NAMED = { words: true, class: "foldable" }; // on a narrow screen the icon stays

export class SearchBar {
  /** @param on search, upload (a file), addExample (an image id), saved (a promise of queries), save, deleteSaved. */
  constructor(history, on) {
    this.history = history;
    this.on = on;
    this.search = {};
    this.changed = null; // what is being saved or deleted
    this.lists = 0;
    this.field = element("input", {
      type: "search",
      name: "query",
      maxlength: 2000,
      placeholder: "left pleural effusion, edema without effusion, pacemaker …",
      "aria-label": "Search by words, or for the name of a file",
      autocomplete: "off",
      enterkeyhint: "search",
    });
    const [filters, filterPanel] = popoverButton(
      "filters",
      "Filters",
      (close) =>
        filterForm(this.search, (search) => {
          close();
          this.on.search(this.#withWords(search));
        }),
      NAMED,
    );
    this.filters = filters;
    const [examples, examplePanel] = popoverButton("picture", "By image", (close) => this.#exampleForm(close), NAMED);
    const [earlier, earlierPanel] = popoverButton("history", "Searches", (close) => this.#earlier(close), NAMED);
    this.root = element(
      "form",
      { class: "search-bar", role: "search", onsubmit: (event) => this.#submit(event) },
      element("div", { class: "field" }, icon("search"), this.field),
      iconButton("search", "Search", null, { type: "submit", class: "primary" }),
      filters,
      examples,
      earlier,
    );
    this.panels = [filterPanel, examplePanel, earlierPanel];
  }

  /** Show a search in the field and the number of its filters on the button. */
  show(search) {
    this.search = search;
    this.field.value = search.query ?? "";
    const count = countFilters(search);
    this.filters.lastChild.textContent = count ? `Filters (${count})` : "Filters";
    this.filters.classList.toggle("active", count > 0);
  }

  /** What stands in the field. */
  get words() {
    return this.field.value.trim();
  }

  #withWords({ query, ...search }) {
    return this.words ? { query: this.words, ...search } : search;
  }

  #submit(event) {
    event.preventDefault();
    this.on.search(this.#withWords(this.search));
  }

  #exampleForm(close) {
    const id = element("input", { type: "text", autocomplete: "off" });
    const file = element("input", { type: "file", class: "file", "aria-label": "Your own image: DICOM, PNG or JPEG", onchange: () => {
      close();
      if (file.files.length) this.on.upload(file.files[0]);
    } });
    return [
      element("h2", {}, "Your own image"),
      element("p", { class: "muted" }, "DICOM, PNG or JPEG, with or without an ending. It is compared with the archive but not added to it, and is deleted when `mcp-cxr chat` ends. You can also drop it on the page."),
      file,
      element("h2", {}, "An image of the archive"),
      element(
        "form",
        { class: "row", onsubmit: (event) => {
          event.preventDefault();
          close();
          if (id.value.trim()) this.on.addExample(id.value.trim());
        } },
        element("label", { class: "field-label grow" }, element("span", {}, "Image id or path of its file"), id),
        element("button", { type: "submit", class: "tool labeled primary" }, "Find similar"),
      ),
    ];
  }

  #earlier(close) {
    const saved = element("ul", { class: "earlier" });
    this.#listSaved(saved, close);
    return [
      Object.keys(this.search).length
        ? element("button", { type: "button", class: "tool labeled wide", onclick: () => this.#save(close) }, icon("more"), `Save ${describe(this.search)}`)
        : null,
      element("h2", {}, "Saved"),
      saved,
      element("h2", {}, "Recent"),
      element(
        "ul",
        { class: "earlier" },
        this.history.searches.length
          ? this.history.searches.map((search) => element("li", {}, this.#repeat(search, describe(search), close)))
          : element("li", { class: "muted" }, "None in this tab yet."),
      ),
    ];
  }

  async #listSaved(list, close) {
    const number = (this.lists += 1);
    await this.changed;
    const saved = Object.entries(await this.on.saved());
    if (number !== this.lists) return;
    list.replaceChildren(
      ...saved.map(([name, search]) =>
        element(
          "li",
          { class: "row" },
          this.#repeat(search, name, close),
          iconButton("close", `Delete the saved search ${name}`, () => {
            this.changed = this.on.deleteSaved(name);
            this.#listSaved(list, close);
          }),
        ),
      ),
      ...(saved.length ? [] : [element("li", { class: "muted" }, "None.")]),
    );
  }

  #repeat(search, words, close) {
    return element("button", { type: "button", class: "tool wide", onclick: () => {
      close();
      this.on.search(search);
    } }, words);
  }

  #save(close) {
    close();
    this.changed = this.on.save(describe(this.search), this.search);
  }
}
