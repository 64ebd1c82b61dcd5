// A page of results.

const THUMBNAIL_PX = 384;
const THUMBNAILS_KEPT = 200;

class Gallery {
  /** @param on What the person can do: ask, open, compare, pick, ... */
  constructor(host, on) {
    this.host = host;
    this.on = on;
    this.thumbnails = new Map(); // canvas by image id
    this.seen = new IntersectionObserver((entries) => this.#show(entries), { rootMargin: "200px" });
  }

  /** Draw the page, or what there is to say where there is none. */
  render(state) {
    const { page } = state;
    this.seen.disconnect();
    this.state = state;
    return [
      element(
        "header",
        { class: "top" },
        searchForm({ ...state, on: this.on }),
        state.isOpen ? filterForm({ ...state, on: this.on }) : null,
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

  /** The results, or what there is to say instead. */
  #cards() {
    const { page, problem, isBusy } = this.state;
    const instead = (text) => element("p", { class: "empty" }, text);
    if (!page && problem) return null;
    if (!page) return instead(isBusy ? "Looking …" : "Search your archive in words, or by filters.");
    if (!page.images.length) return instead("No film matches. Ask for less, or with other words.");
    const cards = page.images.map((hit) => this.#card(hit));
    return element("ol", { class: "cards", start: page.images[0].rank }, cards);
  }

  #summary(page) {
    const took = typeof page.execution_time_ms === "number" ? `${Math.round(page.execution_time_ms)} ms` : null;
    const found = counted(page.total_results, this.state.question.group);
    const facts = [MODES[page.search_mode] ?? page.search_mode, took].filter(Boolean);
    const asked = page.query ? ` for “${page.query}”` : "";
    return element(
      "h1",
      {},
      element("span", {}, found, element("span", { class: "unseen" }, asked)),
      element("small", {}, facts.join("  ·  ")),
    );
  }

  /** The films that steer the search. */
  #examples() {
    const { question } = this.state;
    const marks = [
      ...(question.like ?? []).map((id) => ["like", id]),
      ...(this.state.unlike ?? []).map((id) => ["unlike", id]),
    ];
    if (!marks.length) return null;
    return element(
      "ul",
      { class: "examples", "aria-label": "Examples" },
      marks.map(([kind, id]) =>
        element(
          "li",
          { class: kind },
          icon(kind),
          element("span", {}, `${kind === "like" ? "Like" : "Not like"} ${this.on.nameOf(id)}`),
          iconButton("close", `Take ${this.on.nameOf(id)} out of the examples`, () => this.on.unmark(kind, id)),
        ),
      ),
    );
  }

  #notices() {
    const { page, problem, pictures, hint } = this.state;
    return notices([problem, hint, pictures, page?.fallback_reason, ...(page?.warnings ?? [])]);
  }

  #card(hit) {
    const name = `${hit.rank}, ${hit.view_position}, ${hit.subject_id}`;
    const standing = standingOf(hit);
    const labels = presentLabels(hit.labels);
    return element(
      "li",
      { class: "card", "data-rank": hit.rank },
      this.#picture(hit, name),
      element(
        "div",
        { class: "facts" },
        element(
          "p",
          { class: "title" },
          element("b", {}, String(hit.rank)),
          element("span", {}, hit.view_position),
          standing ? element("span", { class: "standing", title: standing.told }, standing.text) : null,
        ),
        element("p", { class: "ids" }, element("span", {}, hit.subject_id), element("span", {}, hit.study_id)),
        labels.length ? element("p", { class: "labels" }, labels.join(", ")) : null,
        element("p", { class: "why", title: reasonsOf(hit).join("\n") }, reasonsOf(hit).join("  ·  ")),
        hit.report_excerpt ? element("p", { class: "excerpt" }, hit.report_excerpt) : null,
      ),
      this.#actions(hit, name),
    );
  }

  #picture(hit, name) {
    const blank = element("span", { class: "blank" }, hit.view_position);
    if (this.state.pictures) return element("div", { class: "film" }, blank);
    const known = this.thumbnails.get(hit.image_id);
    const label = `Open film ${name}`;
    const open = element(
      "button",
      { type: "button", class: known ? "film ready" : "film", "aria-label": label, onclick: () => this.on.open(hit) },
      known,
    );
    open.dataset.image = hit.image_id;
    if (!known) this.seen.observe(open);
    return open;
  }

  #actions(hit, name) {
    const { question, unlike, picked } = this.state;
    const isPicked = picked.has(hit.image_id);
    const compare = iconButton("compare", `Compare film ${name}`, () => this.on.pick(hit), {
      "aria-pressed": String(isPicked),
      disabled: Boolean(this.state.pictures),
    });
    compare.title = "Compare";
    const like = iconButton("like", `More like film ${name}`, () => this.on.mark("like", hit), {
      "aria-pressed": String(Boolean(question.like?.includes(hit.image_id))),
    });
    like.title = "More like this";
    const not = iconButton("unlike", `Not like film ${name}`, () => this.on.mark("unlike", hit), {
      "aria-pressed": String(Boolean(unlike?.includes(hit.image_id))),
    });
    not.title = "Not this";
    const facts = this.state.pictures
      ? iconButton("details", `Report and facts of film ${name}`, () => this.on.open(hit))
      : null;
    if (facts) facts.title = "Report and facts";
    return element("div", { class: "actions" }, facts, like, not, this.state.pictures ? null : compare);
  }

  #footer(page) {
    const { picked, question } = this.state;
    const last = page.offset + page.images.length;
    const limit = question.limit ?? 5;
    const chosen = picked.size
      ? element(
          "div",
          { class: "row" },
          iconButton("compare", picked.size > 1 ? `Compare ${picked.size}` : "Choose another", this.on.compare, {
            words: true,
            disabled: picked.size < 2,
            class: "primary",
          }),
          iconButton("close", "Choose none", this.on.unpick),
        )
      : null;
    return element(
      "footer",
      { class: "bottom" },
      chosen ?? element("span", {}),
      element(
        "nav",
        { class: "row", "aria-label": "Pages" },
        iconButton("back", "Previous page", () => this.on.turn(Math.max(0, page.offset - limit)), {
          disabled: page.offset === 0,
        }),
        element(
          "span",
          { class: "figures" },
          page.images.length ? `${page.offset + 1}–${last} of ${page.total_results.toLocaleString("en")}` : "0",
        ),
        iconButton("next", "Next page", () => this.on.turn(page.next_offset), {
          disabled: typeof page.next_offset !== "number",
        }),
      ),
    );
  }

  // Small pictures come when they are about to be seen.

  #show(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.seen.unobserve(target);
      this.#draw(target, target.dataset.image);
    }
  }

  async #draw(button, imageId) {
    try {
      const film = await Film.open(this.host, imageId, THUMBNAIL_PX);
      const canvas = film.smallest();
      canvas.setAttribute("aria-hidden", "true");
      this.#keep(imageId, canvas);
      button.replaceChildren(canvas);
      button.classList.add("ready");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      button.replaceChildren(element("span", { class: "blank" }, "No picture"));
      this.on.refused(error);
    }
  }

  #keep(imageId, canvas) {
    this.thumbnails.set(imageId, canvas);
    if (this.thumbnails.size > THUMBNAILS_KEPT) this.thumbnails.delete(this.thumbnails.keys().next().value);
  }
}
