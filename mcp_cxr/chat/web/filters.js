// The filters, in a panel below their button. They take effect with Apply.

import { element } from "/viewer/dom.js";
import { LABELS } from "/viewer/labels.js";
import { choice, viewBoxes } from "/viewer/search_form.js";

const TEXTS = ["subject_id", "study_id", "split", "date_from", "date_to", "sex"];
const NUMBERS = ["age_from", "age_to"];

/** The number of filters in a search. */
export function countFilters({ query, like, unlike, group, mode, ...filters }) {
  return Object.keys(filters).length;
}

/** A search without its filters. */
export function withoutFilters({ query, like, unlike }) {
  return Object.fromEntries(Object.entries({ query, like, unlike }).filter(([, value]) => value?.length));
}

/** The form; `apply` is called with the search as changed. */
export function filterForm(search, apply) {
  const form = element(
    "form",
    { class: "filters", onsubmit: (event) => {
      event.preventDefault();
      apply(searchOf(search, new FormData(form)));
    } },
    viewBoxes(search.view ?? []),
    field("Label present", choice("labels", LABELS, search.labels?.[0])),
    field("Label absent", choice("labels_absent", LABELS, search.labels_absent?.[0])),
    field("Finding score", text({ scores: (search.scores ?? []).join("; ") }, "scores", { placeholder: "Edema>0.8; Fracture<0.2" })),
    field("Date from", text(search, "date_from", { type: "date" })),
    field("Date to", text(search, "date_to", { type: "date" })),
    field("Report", choice("has_report", { true: "With a report", false: "Without a report" }, search.has_report)),
    field("Sex", choice("sex", { F: "Female", M: "Male" }, search.sex)),
    field("Age from", text(search, "age_from", { type: "number", min: 0, max: 150 })),
    field("Age to", text(search, "age_to", { type: "number", min: 0, max: 150 })),
    field("Patient id", text(search, "subject_id")),
    field("Study id", text(search, "study_id")),
    field("Split", text(search, "split", { placeholder: "train, validate, test" })),
    field("One result per", choice("group", { study: "Study", subject: "Patient", none: "Image" }, search.group ?? "study", false)),
    field("Search by", choice("mode", { auto: "Words and similarity", words: "Words alone", vector: "Similarity alone" }, search.mode ?? "auto", false)),
    otherPatients(search),
    element(
      "div",
      { class: "row end" },
      element("button", { type: "button", class: "tool labeled", onclick: () => apply(withoutFilters(search)) }, "Clear all"),
      element("button", { type: "submit", class: "tool labeled primary" }, "Apply"),
    ),
  );
  return form;
}

function field(label, input) {
  return element("label", { class: "field-label" }, element("span", {}, label), input);
}

function text(search, name, attributes = {}) {
  const input = element("input", { type: "text", name, autocomplete: "off", ...attributes });
  input.value = search[name] ?? "";
  return input;
}

/** Whether the patient of an example image is left out; its name is that of the first one in the archive. */
function otherPatients({ like, exclude_subject_of: excluded }) {
  const example = like?.find((id) => !id.startsWith("upload:"));
  if (!example) return null;
  return element(
    "label",
    { class: "check" },
    element("input", { type: "checkbox", name: "exclude_subject_of", value: example, checked: Boolean(excluded) }),
    "Other patients only",
  );
}

/** The search that the form describes; further values of a list, which it does not show, stay. */
function searchOf(search, form) {
  const changed = withoutFilters(search);
  const put = (name, value) => {
    if (value?.length || typeof value === "number" || typeof value === "boolean") changed[name] = value;
  };
  put("view", form.getAll("view"));
  for (const name of ["labels", "labels_absent"])
    put(name, form.get(name) ? [form.get(name), ...(search[name] ?? []).slice(1).filter((one) => one !== form.get(name))] : []);
  put("scores", form.get("scores").split(/[;,]/).map((one) => one.trim()).filter(Boolean));
  for (const name of TEXTS) put(name, form.get(name).trim());
  for (const name of NUMBERS) if (form.get(name) !== "") put(name, Number(form.get(name)));
  if (form.get("has_report")) put("has_report", form.get("has_report") === "true");
  if (form.get("group") !== "study") put("group", form.get("group"));
  if (form.get("mode") !== "auto") put("mode", form.get("mode"));
  put("exclude_subject_of", form.get("exclude_subject_of") ?? "");
  return changed;
}
