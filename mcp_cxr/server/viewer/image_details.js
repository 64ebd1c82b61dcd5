// The details panel of one image: report, labels and facts.

import { announce, element, iconButton } from "./dom.js";
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
    ["File", facts.path ? pathWithCopy(facts.path) : null],
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
      rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value instanceof Node ? value : String(value))]),
    ),
  ];
}

/** The path of a file, and a button that copies it. */
function pathWithCopy(path) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(path);
      button.lastChild.textContent = "Copied";
    } catch {
      button.lastChild.textContent = "Not allowed by the browser";
    }
    announce(button.lastChild.textContent);
  };
  const button = iconButton("copy", "Copy path", copy, { words: true });
  return element("span", { class: "path" }, path, button);
}

function grayscaleRows({ voi, center, width, notes }) {
  const windows = {
    lut: "VOI LUT of the file",
    window: `window center ${center}, width ${width}`,
    stretch: "stretched over the values of the image (the file has no window)",
  };
  return [
    ["Grayscale", windows[voi]],
    ["Notes", Array.isArray(notes) ? notes.join("; ") : ""],
  ];
}
