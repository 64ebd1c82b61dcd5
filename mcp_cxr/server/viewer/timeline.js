// The patient's studies around an open image: a strip to compare with, and how findings changed.

import { element } from "./dom.js";
import { CallError } from "./host_client.js";
import { dataOf, isTimeline } from "./tool_results.js";

const MOST_STUDIES = 10;
const ORDERS = {
  earlier: "earlier that day",
  later: "later that day",
  "same time": "same time",
  "time missing": "same day, order not known",
  "date missing": "no date",
};

/** Load the timeline of an image; null if the patient has no other study here, or the host gives none. */
export async function loadTimeline(host, imageId) {
  try {
    const timeline = dataOf(await host.call("get_patient_timeline", { image_id: imageId, limit: MOST_STUDIES }), isTimeline);
    return timeline?.studies.length > 1 ? timeline : null;
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    return null; // a host that forwards only the tools it showed its model
  }
}

/** When a study was made, from the open one: "33 days before". */
function whenOf({ days, order }) {
  if (order || days === undefined || days === null) return ORDERS[order] ?? ORDERS["date missing"];
  return `${Math.abs(days).toLocaleString("en")} ${Math.abs(days) === 1 ? "day" : "days"} ${days < 0 ? "before" : "after"}`;
}

/** When the study of a hit was made, from the open one; nothing if the timeline does not hold it. */
export function whenIn(timeline, { study_id: id }) {
  const study = timeline?.studies.slice(1).find((one) => one.study_id === id);
  return study && whenOf(study);
}

/** The image of a study of the strip, for the viewer to open beside the image of `hit`. */
export function hitOf(study, hit) {
  return {
    image_id: study.image_id,
    rank: "",
    view_position: study.views[0],
    study_date: study.study_date,
    subject_id: hit.subject_id,
    when: whenOf(study),
  };
}

/** The strip of other studies, nearest first; a click compares the open image with the study's. */
export function timelineStrip(timeline, compare) {
  const [, ...others] = timeline.studies;
  const more = timeline.total_studies - timeline.studies.length;
  const button = (study) =>
    element(
      "button",
      { type: "button", class: "tool labeled", title: detailsOf(study), onclick: () => compare(study) },
      element("span", {}, whenOf(study)),
      element("small", {}, study.views.join(", ")),
    );
  return element(
    "nav",
    { class: "timeline", "aria-label": "Compare with another study of the patient" },
    element("span", { class: "muted" }, "Compare"),
    others.map(button),
    more > 0 ? element("span", { class: "muted" }, `${more.toLocaleString("en")} more`) : null,
  );
}

function detailsOf({ study_id: id, study_date: date, study_time: time, likeness, has_report: hasReport }) {
  const parts = [
    id,
    [date, time].filter(Boolean).join(" "),
    typeof likeness === "number" ? `similarity ${likeness.toFixed(2)}` : "",
    hasReport === false ? "no report" : "",
  ];
  return parts.filter(Boolean).join(" · ");
}

/** The findings of the open study and its neighbors, for the details panel. */
export function timelineSection({ studies, findings = {}, findings_left_out: leftOut }) {
  const rows = Object.entries(findings);
  if (!rows.length) return [];
  const stated = (statuses) =>
    statuses
      .map((status, index) => [index ? whenOf(studies[index]) : "now", status])
      .filter(([, status]) => status)
      .map(([when, status]) => `${when}: ${status}`);
  return [
    element("h2", {}, "Over time"),
    element(
      "dl",
      {},
      rows.flatMap(([name, statuses]) => [element("dt", {}, name), element("dd", {}, stated(statuses).join("; "))]),
    ),
    element(
      "p",
      { class: "muted" },
      `A study that is not named does not mention the finding.${leftOut ? ` ${leftOut} findings are left out.` : ""}`,
    ),
  ];
}
