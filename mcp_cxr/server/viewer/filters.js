// The question above the results: words, and filters that fold away.
//
// Hosts' sandboxes forbid forms to be sent, and then no `submit` is heard: Enter and the buttons are, instead.

/** Do something when Enter is pressed in a field of a form. */
function onEnter(act) {
  return (event) => {
    if (event.key !== "Enter" || event.target.tagName === "BUTTON") return;
    event.preventDefault();
    act();
  };
}

const VIEW_NAMES = { PA: "PA", AP: "AP", LATERAL: "Lateral", OTHER: "Other", UNKNOWN: "Unknown" };

/** The search field with its buttons. */
function searchForm({ question, isOpen, history, canFill, on }) {
  const field = element("input", {
    type: "search",
    name: "query",
    maxlength: 2000,
    placeholder: "Search in words",
    "aria-label": "Search in words",
    autocomplete: "off",
  });
  field.value = question.query ?? "";
  const count = countOf(question);
  const send = () =>
    on.ask({
      ...question,
      query: field.value.trim() || undefined,
      like: undefined,
      unlike: undefined,
      exclude_subject_of: undefined,
    });
  return element(
    "form",
    { class: "search", role: "search", onkeydown: onEnter(send) },
    history ? iconButton("back", "Back to the results before", on.back) : null,
    element("div", { class: "field" }, icon("search"), field),
    iconButton("filters", count ? `Filters, ${count} in force` : "Filters", on.toggleFilters, {
      "aria-expanded": String(isOpen),
      "aria-controls": "filters",
      class: count ? "lit" : "",
    }),
    canFill ? iconButton("full", "Full screen", on.fill) : null,
  );
}

function countOf(question) {
  const { query, limit, offset, like, unlike, mode, group, ...filters } = question;
  return Object.values(filters).filter((value) =>
    Array.isArray(value) ? value.length : value !== undefined && value !== null,
  ).length;
}

/** The filters; what is chosen is asked when the form is sent. */
function filterForm({ question, on }) {
  const field = (label, input) => element("label", { class: "labelled" }, element("span", {}, label), input);
  const text = (name, type, attributes = {}) => {
    const input = element("input", { type, name, ...attributes });
    input.value = question[name] ?? "";
    return input;
  };
  const send = () => on.ask(filtered(question, new FormData(form)));
  const form = element(
    "form",
    { id: "filters", class: "filters", "aria-label": "Filters", onkeydown: onEnter(send) },
    viewBoxes(question.view ?? []),
    field("Finding present", choice("labels", LABELS, question.labels?.[0])),
    field("Finding absent", choice("labels_absent", LABELS, question.labels_absent?.[0])),
    field("From", text("date_from", "date")),
    field("To", text("date_to", "date")),
    field("Report", choice("has_report", { true: "With a report", false: "Without a report" }, question.has_report)),
    field("Patient", text("subject_id", "text", { autocomplete: "off" })),
    field(
      "One result for each",
      choice("group", { study: "Study", subject: "Patient", none: "Image" }, question.group ?? "study", false),
    ),
    question.like?.length
      ? element(
          "label",
          { class: "check" },
          element("input", {
            type: "checkbox",
            name: "exclude_subject_of",
            value: question.like[0],
            checked: Boolean(question.exclude_subject_of),
          }),
          "Other patients only",
        )
      : null,
    element(
      "div",
      { class: "row end" },
      element(
        "button",
        { type: "button", class: "tool worded", onclick: () => on.ask(withoutFilters(question)) },
        "Clear",
      ),
      element("button", { type: "button", class: "tool worded primary", onclick: send }, "Apply"),
    ),
  );
  return form;
}

function viewBoxes(chosen) {
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

/** A select of names, or of values and their names; the first choice is none unless one must be. */
function choice(name, options, chosen, mayBeNone = true) {
  const named = Array.isArray(options) ? options.map((option) => [option, option]) : Object.entries(options);
  const all = mayBeNone ? [["", "Any"], ...named] : named;
  return element(
    "select",
    { name },
    all.map(([value, label]) => element("option", { value, selected: value === String(chosen ?? "") }, label)),
  );
}

function withoutFilters({ query, like, unlike, limit }) {
  return { query, like, unlike, limit };
}

function filtered(question, form) {
  const one = (name) => form.get(name) || undefined;
  const list = (name) => (form.get(name) ? [form.get(name), ...(question[name] ?? []).slice(1)] : undefined);
  return {
    ...withoutFilters(question),
    study_id: question.study_id,
    split: question.split,
    mode: question.mode,
    view: form.getAll("view").length ? form.getAll("view") : undefined,
    labels: list("labels"),
    labels_absent: list("labels_absent"),
    date_from: one("date_from"),
    date_to: one("date_to"),
    has_report: form.get("has_report") ? form.get("has_report") === "true" : undefined,
    subject_id: one("subject_id")?.trim(),
    group: form.get("group") === "study" ? undefined : one("group"),
    exclude_subject_of: one("exclude_subject_of"),
  };
}
