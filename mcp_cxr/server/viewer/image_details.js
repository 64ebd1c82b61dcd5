// The details panel of one image: report, labels and facts.

import { element } from "./dom.js";
import { matchedSentences, sentencesOf } from "./tool_results.js";

const SHOWN_TAGS = {
  Modality: "Modality",
  BodyPartExamined: "Body part",
  StudyDescription: "Study",
  SeriesDescription: "Series",
  ProtocolName: "Protocol",
  PerformedProcedureStepDescription: "Procedure",
  Manufacturer: "Manufacturer",
  ManufacturerModelName: "Model",
  Columns: "Columns",
  Rows: "Rows",
  BitsStored: "Bits stored",
  PhotometricInterpretation: "Photometric interpretation",
  PixelSpacing: "Pixel spacing, mm",
  ImagerPixelSpacing: "Pixel spacing at the detector, mm",
  TransferSyntaxUID: "Transfer syntax",
  BurnedInAnnotation: "Burned-in text",
};

export function reportSection(report, hit) {
  if (!report) return [];
  const found = matchedSentences(report, hit);
  const marked = (section) =>
    sentencesOf(section, found).flatMap(({ text, matched }) => [matched ? element("mark", {}, text) : text, " "]);
  const sections = Object.entries(report).flatMap(([title, text]) => [
    element("h3", {}, title),
    element("p", {}, marked(text)),
  ]);
  return [element("h2", {}, "Report"), ...sections];
}

export function labelsSection(labels) {
  const states = { 1: "present", 0: "absent", "-1": "uncertain" };
  const known = Object.entries(labels ?? {});
  if (!known.length) return [];
  known.sort(([, a], [, b]) => Math.abs(b) - Math.abs(a) || b - a);
  return [
    element("h2", {}, "Labels"),
    element(
      "dl",
      {},
      known.flatMap(([label, value]) => [
        element("dt", {}, label),
        element("dd", { class: `is-${states[value]}` }, states[value] ?? String(value)),
      ]),
    ),
  ];
}

export function headerSection(facts) {
  const rows = [
    [
      "View",
      `${facts.view_position}${facts.view_source && facts.view_source !== "none" ? ` (from ${facts.view_source})` : ""}`,
    ],
    ["Date", facts.study_date],
    ["Days since first study", facts.days_since_first_study],
    ["Patient", facts.subject_id],
    ["Study", facts.study_id],
    ["Image", facts.image_id],
    ["File", facts.path],
    ["Split", facts.split],
    ...Object.entries(SHOWN_TAGS).map(([tag, name]) => [
      name,
      Array.isArray(facts.tags[tag]) ? facts.tags[tag].join(" × ") : facts.tags[tag],
    ]),
    ...grayscaleRows(facts.grayscale ?? {}),
  ].filter(([, value]) => value !== null && value !== undefined && value !== "");
  return [
    element("h2", {}, "Details"),
    element(
      "dl",
      {},
      rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]),
    ),
  ];
}

function grayscaleRows({ voi, center, width, notes }) {
  const windows = {
    lut: "VOI LUT of the file",
    window: `window center ${center}, width ${width}`,
    stretch: "scaled to the full range (the file has no window)",
  };
  return [
    ["Grayscale", windows[voi]],
    ["Notes", Array.isArray(notes) ? notes.join("; ") : ""],
  ];
}
