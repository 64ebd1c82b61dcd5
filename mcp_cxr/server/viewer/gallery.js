// One page of search results.

import { element, icon, iconButton, notices } from "./dom.js";
import { CallError } from "./host_client.js";
import { filterForm, searchForm } from "./search_form.js";
import { MODES, counted, matchesText, presentLabels, restHeading, similarityOf, understoodText } from "./tool_results.js";
import { WindowedImage } from "./windowed_image.js";

const THUMBNAIL_PX = 384;
const MAX_THUMBNAILS = 200;

export class Gallery {
  /** @param on What the user can do: runSearch, open, compare, toggleSelected, ... */
  constructor(host, on) {
    this.host = host;
    this.on = on;
    this.thumbnails = new Map(); // canvas by image id
    this.visible = new IntersectionObserver((entries) => this.#show(entries), { rootMargin: "200px" });
  }

  /** Return the elements of the page for a state. */
  render(state) {
    const { page } = state;
    this.visible.disconnect();
    this.state = state;
    return [
      element(
        "header",
        { class: "top" },
        searchForm({ ...state, on: this.on }),
        page?.understood ? element("p", { class: "understood" }, `Read as: ${understoodText(page.understood)}`) : null,
        state.filtersOpen ? filterForm({ ...state, on: this.on }) : null,
      ),
      element(
        "section",
        { class: "results", "aria-label": "Results", "aria-busy": String(state.isBusy), tabindex: -1 },
        page ? this.#summary(page) : null,
        this.#examples(),
        this.#notices(),
        this.#cards(),
      ),
      page ? this.#footer(page) : null,
    ];
  }

  /** The results, or a text that says why there are none. */
  #cards() {
    const { page, problem, isBusy } = this.state;
    const instead = (text) => element("p", { class: "empty" }, text);
    if (!page && problem) return null;
    if (!page) return instead(isBusy ? "Searching …" : "Search your archive by words or filters.");
    if (!page.images.length) return instead("No image matches. Try other words or fewer filters.");
    const rest = restHeading(page);
    const cards = page.images.flatMap((hit) => [
      hit.rank === rest?.rank ? element("li", { class: "rest" }, rest.text) : null,
      this.#card(hit),
    ]);
    return element("ol", { class: "cards", start: page.images[0].rank }, cards);
  }

  #summary(page) {
    const took = typeof page.execution_time_ms === "number" ? `${Math.round(page.execution_time_ms)} ms` : null;
    const found = matchesText(page, this.state.search.group) ?? counted(page.total_results, this.state.search.group);
    const facts = [MODES[page.search_mode] ?? page.search_mode, took].filter(Boolean);
    const query = page.query ? ` for “${page.query}”` : "";
    return element(
      "h1",
      {},
      element("span", {}, found, element("span", { class: "visually-hidden" }, query)),
      element("small", {}, facts.join("  ·  ")),
    );
  }

  /** The example images of the search. */
  #examples() {
    const { search } = this.state;
    const examples = [
      ...(search.like ?? []).map((id) => ["like", id]),
      ...(this.state.unlike ?? []).map((id) => ["unlike", id]),
    ];
    if (!examples.length) return null;
    return element(
      "ul",
      { class: "examples", "aria-label": "Examples" },
      examples.map(([kind, id]) =>
        element(
          "li",
          { class: kind },
          icon(kind),
          element("span", {}, `${kind === "like" ? "More like this" : "Not this"}: ${this.on.nameOf(id)}`),
          iconButton("close", `Remove ${this.on.nameOf(id)} from the examples`, () => this.on.removeExample(kind, id)),
        ),
      ),
    );
  }

  #notices() {
    const { page, problem, notShared, hint } = this.state;
    return notices([problem, hint, notShared, page?.fallback_reason, ...(page?.warnings ?? [])]);
  }

  #card(hit) {
    const name = `${hit.rank}, ${hit.view_position}, ${hit.subject_id}`;
    const similarity = similarityOf(hit);
    const labels = presentLabels(hit.labels);
    return element(
      "li",
      { class: "card", "data-rank": hit.rank },
      this.#thumbnail(hit, name),
      element(
        "div",
        { class: "facts" },
        element(
          "p",
          { class: "title" },
          element("b", {}, String(hit.rank)),
          element("span", {}, hit.view_position),
          similarity ? element("span", { class: "similarity", title: similarity.explanation }, similarity.text) : null,
        ),
        element("p", { class: "ids" }, element("span", { title: "Patient" }, hit.subject_id), element("span", { title: "Study" }, hit.study_id)),
        hit.matched === "part"
          ? element("p", { class: "part" }, `Matches in part: ${(hit.missing ?? []).join("; ")}`)
          : null,
        labels.length ? element("p", { class: "labels" }, labels.join(", ")) : null,
        hit.why?.length
          ? element("p", { class: "why", title: hit.why.join("\n") }, `Why: ${hit.why.join("  ·  ")}`)
          : null,
        hit.report_excerpt ? element("p", { class: "excerpt" }, hit.report_excerpt) : null,
      ),
      this.#actions(hit, name),
    );
  }

  #thumbnail(hit, name) {
    if (this.state.notShared) return element("div", { class: "thumbnail" }, hit.view_position);
    const canvas = this.thumbnails.get(hit.image_id);
    const label = `Open image ${name}`;
    const open = element(
      "button",
      { type: "button", class: canvas ? "thumbnail ready" : "thumbnail", "aria-label": label, onclick: () => this.on.open(hit) },
      canvas,
    );
    open.dataset.image = hit.image_id;
    if (!canvas) this.visible.observe(open);
    return open;
  }

  #actions(hit, name) {
    const { search, unlike, selected } = this.state;
    const isSelected = selected.has(hit.image_id);
    const compare = iconButton("compare", `Compare image ${name}`, () => this.on.toggleSelected(hit), {
      "aria-pressed": String(isSelected),
      disabled: Boolean(this.state.notShared),
    });
    compare.title = "Compare";
    const like = iconButton("like", `More like this: image ${name}`, () => this.on.toggleExample("like", hit), {
      "aria-pressed": String(Boolean(search.like?.includes(hit.image_id))),
    });
    like.title = "More like this";
    const not = iconButton("unlike", `Not this: image ${name}`, () => this.on.toggleExample("unlike", hit), {
      "aria-pressed": String(Boolean(unlike?.includes(hit.image_id))),
    });
    not.title = "Not this";
    const facts = this.state.notShared
      ? iconButton("details", `Report and details of image ${name}`, () => this.on.open(hit))
      : null;
    if (facts) facts.title = "Report and details";
    return element("div", { class: "actions" }, facts, like, not, this.state.notShared ? null : compare);
  }

  #footer(page) {
    const { selected, search } = this.state;
    const last = page.offset + page.images.length;
    const limit = search.limit ?? 5;
    const comparison = selected.size
      ? element(
          "div",
          { class: "row" },
          iconButton("compare", selected.size > 1 ? `Compare ${selected.size}` : "Select one more", this.on.compare, {
            words: true,
            disabled: selected.size < 2,
            class: "primary",
          }),
          iconButton("close", "Clear selection", this.on.clearSelection),
        )
      : null;
    return element(
      "footer",
      { class: "bottom" },
      comparison ?? element("span", {}),
      element(
        "nav",
        { class: "row", "aria-label": "Pages" },
        iconButton("back", "Previous page", () => this.on.goToOffset(Math.max(0, page.offset - limit)), {
          disabled: page.offset === 0,
        }),
        element(
          "span",
          { class: "page-range" },
          page.images.length ? `${page.offset + 1}–${last} of ${page.total_results.toLocaleString("en")}` : "0",
        ),
        iconButton("next", "Next page", () => this.on.goToOffset(page.next_offset), {
          disabled: typeof page.next_offset !== "number",
        }),
      ),
    );
  }

  // Thumbnails are loaded when they are about to scroll into view.

  #show(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.visible.unobserve(target);
      this.#draw(target, target.dataset.image);
    }
  }

  async #draw(button, imageId) {
    try {
      const image = await WindowedImage.open(this.host, imageId, THUMBNAIL_PX);
      const canvas = image.thumbnail();
      canvas.setAttribute("aria-hidden", "true");
      this.#keep(imageId, canvas);
      button.replaceChildren(canvas);
      button.classList.add("ready");
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      button.replaceChildren("No image");
      this.on.callFailed(error);
    }
  }

  #keep(imageId, canvas) {
    this.thumbnails.set(imageId, canvas);
    if (this.thumbnails.size > MAX_THUMBNAILS) this.thumbnails.delete(this.thumbnails.keys().next().value);
  }
}
