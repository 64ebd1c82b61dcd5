// The search form above the results: words, and filters that fold away.
//
// Hosts' sandboxes forbid submitting forms, so no `submit` event arrives: Enter and the buttons are handled instead.

import { element, icon, iconButton } from "./dom.js";
import { LABELS } from "./labels.js";

/** Return a key listener that calls `act` when Enter is pressed in a field. */
function onEnter(act) {
  return (event) => {
    if (event.key !== "Enter" || event.target.tagName === "BUTTON") return;
    event.preventDefault();
    act();
  };
}

const VIEW_NAMES = { PA: "PA", AP: "AP", LATERAL: "Lateral", OTHER: "Other", UNKNOWN: "Unknown" };

/** The search field with its buttons. */
export function searchForm({ search, filtersOpen, history, canFullscreen, on }) {
  const field = element("input", {
    type: "search",
    name: "query",
    maxlength: 2000,
    placeholder: "Search by words",
    "aria-label": "Search by words",
    autocomplete: "off",
  });
  field.value = search.query ?? "";
  const count = activeFilters(search);
  const send = () =>
    on.runSearch({
      ...search,
      query: field.value.trim() || undefined,
      like: undefined,
      unlike: undefined,
      exclude_subject_of: undefined,
    });
  return element(
    "form",
    { class: "search", role: "search", onkeydown: onEnter(send) },
    history ? iconButton("back", "Previous results", on.back) : null,
    element("div", { class: "field" }, icon("search"), field),
    iconButton("filters", count ? `Filters, ${count} active` : "Filters", on.toggleFilters, {
      "aria-expanded": String(filtersOpen),
      "aria-controls": "filters",
      class: count ? "active" : "",
    }),
    canFullscreen ? iconButton("full", "Full screen", on.toggleFullscreen) : null,
  );
}

export function activeFilters(search) {
  const { query, limit, offset, like, unlike, mode, group, ...filters } = search;
  return Object.values(filters).filter((value) =>
    Array.isArray(value) ? value.length : value !== undefined && value !== null,
  ).length;
}

/** The filters; they take effect with Apply. */
export function filterForm({ search, on }) {
  const field = (label, input) => element("label", { class: "field-label" }, element("span", {}, label), input);
  const text = (name, type, attributes = {}) => {
    const input = element("input", { type, name, ...attributes });
    input.value = search[name] ?? "";
    return input;
  };
  const send = () => on.runSearch(applyFilters(search, new FormData(form)));
  const form = element(
    "form",
    { id: "filters", class: "filters", "aria-label": "Filters", onkeydown: onEnter(send) },
    viewBoxes(search.view ?? []),
    field("Label present", choice("labels", LABELS, search.labels?.[0])),
    field("Label absent", choice("labels_absent", LABELS, search.labels_absent?.[0])),
    field("Date from", text("date_from", "date")),
    field("Date to", text("date_to", "date")),
    field("Report", choice("has_report", { true: "With a report", false: "Without a report" }, search.has_report)),
    field("Patient id", text("subject_id", "text", { autocomplete: "off" })),
    field(
      "One result per",
      choice("group", { study: "Study", subject: "Patient", none: "Image" }, search.group ?? "study", false),
    ),
    search.like?.length
      ? element(
          "label",
          { class: "check" },
          element("input", {
            type: "checkbox",
            name: "exclude_subject_of",
            value: search.like[0],
            checked: Boolean(search.exclude_subject_of),
          }),
          "Other patients only",
        )
      : null,
    element(
      "div",
      { class: "row end" },
      element(
        "button",
        { type: "button", class: "tool labeled", onclick: () => on.runSearch(clearFilters(search)) },
        "Clear filters",
      ),
      element("button", { type: "button", class: "tool labeled primary", onclick: send }, "Apply"),
    ),
  );
  return form;
}

/** A box for each view. */
export function viewBoxes(chosen) {
  const isChosen = (view) => chosen.includes(view) || (chosen.includes("FRONTAL") && (view === "PA" || view === "AP"));
  return element(
    "fieldset",
    {},
    element("legend", {}, "View"),
    Object.entries(VIEW_NAMES).map(([view, name]) =>
      element(
        "label",
        { class: "chip" },
        element("input", { type: "checkbox", name: "view", value: view, checked: isChosen(view) }),
        element("span", {}, name),
      ),
    ),
  );
}

/** A select of names, or of values with names; its first option is `Any` unless a choice is required. */
export function choice(name, options, chosen, isOptional = true) {
  const named = Array.isArray(options) ? options.map((option) => [option, option]) : Object.entries(options);
  const all = isOptional ? [["", "Any"], ...named] : named;
  return element(
    "select",
    { name },
    all.map(([value, label]) => element("option", { value, selected: value === String(chosen ?? "") }, label)),
  );
}

function clearFilters({ query, like, unlike, limit }) {
  return { query, like, unlike, limit };
}

function applyFilters(search, form) {
  const value = (name) => form.get(name) || undefined;
  const list = (name) => (form.get(name) ? [form.get(name), ...(search[name] ?? []).slice(1)] : undefined);
  return {
    ...clearFilters(search),
    study_id: search.study_id,
    split: search.split,
    sex: search.sex,
    age_from: search.age_from,
    age_to: search.age_to,
    mode: search.mode,
    view: form.getAll("view").length ? form.getAll("view") : undefined,
    labels: list("labels"),
    labels_absent: list("labels_absent"),
    date_from: value("date_from"),
    date_to: value("date_to"),
    has_report: form.get("has_report") ? form.get("has_report") === "true" : undefined,
    subject_id: value("subject_id")?.trim(),
    group: form.get("group") === "study" ? undefined : value("group"),
    exclude_subject_of: value("exclude_subject_of"),
  };
}
