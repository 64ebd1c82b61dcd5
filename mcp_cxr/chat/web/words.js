// What the page calls things: arguments of a search as people say them.

const VIEWS = { PA: "PA", AP: "AP", LATERAL: "lateral", LL: "left lateral", RL: "right lateral", FRONTAL: "frontal", OTHER: "other views", UNKNOWN: "view unknown" };
/** What a search shows one image of, by `group`. */
export const GROUPS = { study: "study", subject: "patient", none: "image" };
const MODES = { words: "words alone", vector: "similarity alone" };
const NAMES = {
  labels_absent: "Label absent",
  has_report: "Report",
  subject_id: "Patient id",
  study_id: "Study id",
  date_from: "Date from",
  date_to: "Date to",
  age_from: "Age from",
  age_to: "Age to",
  exclude_subject_of: "Other patients only",
  image_id: "image id",
  search_medical_images: "the search",
  ingest_directory: "Add",
  matched_results: "the number of matches",
};
const OTHER_REASONS = new Set(["filter", "pixels"]); // they say how the image was found, as the heading does
const HASH = /^[ps]?[0-9a-f]{24,}$/i;

/** A message of the server without names of variables. */
export function inWords(text) {
  return text.replace(/\b[a-z]+(_[a-z]+)+\b/g, (name) => NAMES[name] ?? name);
}

/** The name of a view in a caption. */
export function viewWords(view) {
  return VIEWS[view] ?? view;
}

/** The filters and settings of a search, each with its words, and the search without it. */
export function parts(search) {
  const without = (name, value) => {
    const rest = { ...search };
    const others = Array.isArray(rest[name]) ? rest[name].filter((one) => one !== value) : [];
    if (others.length) rest[name] = others;
    else delete rest[name];
    return rest;
  };
  const each = (name, words) => [search[name] ?? []].flat().map((value) => ({ text: words(value), rest: without(name, value) }));
  return [
    ...each("view", viewWords),
    ...each("labels", (label) => label),
    ...each("labels_absent", (label) => `no ${label}`),
    ...each("scores", (score) => `score of ${score}`),
    ...each("has_report", (has) => (has ? "with a report" : "without a report")),
    ...each("subject_id", (id) => `patient ${id}`),
    ...each("study_id", (id) => `study ${id}`),
    ...each("date_from", (date) => `from ${date}`),
    ...each("date_to", (date) => `to ${date}`),
    ...each("sex", (sex) => `sex ${sex}`),
    ...each("age_from", (age) => `${age} years or older`),
    ...each("age_to", (age) => `${age} years or younger`),
    ...each("split", (split) => `split ${split}`),
    ...each("exclude_subject_of", () => "other patients only"),
    ...each("group", (group) => `one result per ${GROUPS[group] ?? group}`),
    ...each("mode", (mode) => `by ${MODES[mode] ?? mode}`),
  ];
}

/** A search on one line. */
export function describe(search) {
  const images = (number) => `${number} image${number === 1 ? "" : "s"}`;
  return [
    search.query && `“${search.query}”`,
    search.like?.length && `like ${images(search.like.length)}`,
    search.unlike?.length && `not like ${images(search.unlike.length)}`,
    ...parts(search).map(({ text }) => text),
  ]
    .filter(Boolean)
    .join(", ");
}

/** The name of an image's file; empty if its path is not known. */
export function fileName(path) {
  return path?.split(/[\\/]/).pop() ?? "";
}

/** Why an image was found: what the report and the labels say; nothing if filters alone chose it. */
export function reasons(hit) {
  return (hit.why ?? []).filter((reason) => !OTHER_REASONS.has(reason));
}

/** Why an image was found, shortly: the first reason without its source, else its labels. */
export function shortReason(hit) {
  if (hit.matched === "part" && hit.missing?.length) return `in part: ${hit.missing[0]}`;
  const reason = reasons(hit)[0]?.replace(/^(report|label)(, [a-z]+)?: /, (_, _source, status) => (status ? `${status.slice(2)} ` : ""));
  if (reason) return reason;
  return Object.entries(hit.labels ?? {})
    .filter(([, value]) => value === 1)
    .map(([label]) => label)
    .join(", ");
}

/** Who is shown: the patient's id, or the file's name if that id is a hash. */
export function whose(hit) {
  return HASH.test(hit.subject_id ?? "") && hit.path ? fileName(hit.path) : (hit.subject_id ?? "");
}
