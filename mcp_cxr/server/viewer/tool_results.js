// Reads tool results, and puts their fields into words.

export const MODES = {
  semantic: "by pixels",
  keyword: "by words",
  hybrid: "by pixels and words",
  similar: "by example",
  filter: "by filters, newest first",
};
const GROUPS = { study: ["study", "studies"], subject: ["patient", "patients"], none: ["image", "images"] };

export function textsOf(result) {
  return (Array.isArray(result?.content) ? result.content : [])
    .filter((block) => block?.type === "text" && typeof block.text === "string")
    .map((block) => block.text);
}

/** The data of a result: structured, or else JSON in a text block; null if the host forwarded neither. */
export function dataOf(result, isExpected) {
  if (isExpected(result?.structuredContent)) return result.structuredContent;
  for (const text of textsOf(result)) {
    try {
      const data = JSON.parse(text);
      if (isExpected(data)) return data;
    } catch {
      // another text block
    }
  }
  return null;
}

export const isSearchResult = (data) => Array.isArray(data?.images) && typeof data.search_mode === "string";
export const isImageDetails = (data) => typeof data?.image_id === "string" && typeof data.tags === "object";
export const isTimeline = (data) => Array.isArray(data?.studies) && typeof data.total_studies === "number";
export const isValuesTile = (data) => typeof data?.data === "string" && typeof data.factor === "number";

/** The search arguments that give a result again, as far as the result names them. */
export function searchOf(page) {
  return { ...(page.query ? { query: page.query } : {}), ...page.filters, limit: Math.max(1, page.results_count || 5) };
}

export function counted(number, group) {
  const [singular, plural] = GROUPS[group] ?? GROUPS.study;
  return `${number.toLocaleString("en")} ${number === 1 ? singular : plural}`;
}

/** What a count says of one study and of several; `_search_result.py` has the same. */
const COUNT_TEXTS = {
  silent: ["{} does not mention it, or denies only a part", "{} do not mention it, or deny only a part"], // of a query that only rules out
  unknown: ["{} has no report or label", "{} have no report or label"],
  part: ["{} matches in part", "{} match in part"],
  denied: ["{} denies it and is left out", "{} deny it and are left out"],
  // counted among the others, too
  conflicting: ["{} of these studies has a label that contradicts its report", "{} of these studies have labels that contradict the report"],
};

/** What a count says that patients have: one may have studies of several kinds. */
const PATIENT_COUNT_TEXTS = {
  full: "a study that matches",
  silent: "one that does not mention it, or denies only a part",
  unknown: "one without report or label",
  part: "one that matches in part",
  denied: "one that denies it and is left out",
  conflicting: "one whose label contradicts its report",
};

function countText(name, number, group) {
  if (group === "subject") return `${number.toLocaleString("en")} ${number === 1 ? "has" : "have"} ${PATIENT_COUNT_TEXTS[name]}`;
  return COUNT_TEXTS[name][number === 1 ? 0 : 1].replace("{}", number.toLocaleString("en"));
}

/** How many match, for people: "162 studies match; 310 match in part; the rest is ranked by similarity"; null without words. */
export function matchesText(page, group) {
  const { matched_results: matched, counts } = page;
  if (typeof matched !== "number" || !counts) return null;
  let names = page.total_results ? ["part", "denied", "conflicting"] : ["denied", "unknown", "conflicting"];
  if (onlyRulesOut(page)) names = ["silent", "unknown", "conflicting"];
  const isOne = matched === 1;
  const verb = group === "subject" ? `${isOne ? "has" : "have"} ${PATIENT_COUNT_TEXTS.full}` : isOne ? "matches" : "match";
  const parts = [`${counted(matched, group)} ${verb}`, ...names.filter((one) => counts[one]).map((name) => countText(name, counts[name], group))];
  const ruledOut = onlyRulesOut(page) ? [] : (page.understood?.without ?? []);
  if (ruledOut.length) parts.push(`studies that state ${ruledOut.join(" or ")} are left out`);
  if (onlyRulesOut(page) ? isMixed(page) : page.total_results > matched + counts.part) parts.push(restText(page));
  return parts.join("; ");
}

function restText(page) {
  if (page.search_mode === "keyword") return "the others match only single words or the report's indication";
  return isMixed(page) ? "the list is ordered by similarity, so matches may come later" : "the rest is ranked by similarity";
}

/** The rank of the first hit after the matches, and a line that sets it and those after it apart; null if none is needed. */
export function restHeading(page) {
  const first = page.images.find(({ matched }) => matched === "no" || matched === "unknown");
  if (!first || isMixed(page)) return null;
  if (onlyRulesOut(page)) return { rank: first.rank, text: "Not mentioned, only a part denied, or no report or label" };
  if (page.search_mode === "keyword") return { rank: first.rank, text: "Only single words or the report's indication match" };
  return { rank: first.rank, text: "Ranked by similarity: no report or label matches" };
}

function onlyRulesOut({ understood }) {
  return Boolean(understood?.without?.length) && !understood.findings?.length && !understood.words?.length;
}

/** Whether matches stand between hits that do not match: vectors alone ranked them. */
function isMixed(page) {
  const isMatch = page.images.map(({ matched }) => matched === "full" || matched === "part");
  return isMatch.lastIndexOf(true) > isMatch.indexOf(false) && isMatch.includes(false);
}

/** What the words were read as, on one line. */
export function understoodText(understood) {
  const { findings = [], without = [], words = [], view = [], ids = [], limit, ignored = [] } = understood;
  const { patients, dates, corrected = {} } = understood;
  const corrections = Object.entries(corrected).map(([typed, word]) => `${typed} to ${word}`);
  return [
    ...findings,
    ...without.map((name) => `without ${name}`),
    ...words.map((word) => `the word “${word}”`),
    view.length && `view: ${view.join(", ")}`,
    patients,
    dates && `study date: ${dates}`,
    ...ids,
    limit && `at most ${limit} ${limit === 1 ? "result" : "results"}`,
    ignored.length && `ignored: ${ignored.join(", ")}`,
    corrections.length && `corrected: ${corrections.join(", ")}`,
  ]
    .filter(Boolean)
    .join("; ");
}

export function similarityOf(hit) {
  if (typeof hit.similarity_z !== "number" && typeof hit.percentile !== "number") return null;
  const z =
    typeof hit.similarity_z === "number"
      ? `z ${hit.similarity_z < 0 ? "−" : "+"}${Math.abs(hit.similarity_z).toFixed(1)}`
      : "";
  const percentile = typeof hit.percentile === "number" ? `percentile ${+hit.percentile.toFixed(2)}` : "";
  const cosine = typeof hit.similarity_score === "number" ? `Cosine similarity ${hit.similarity_score.toFixed(3)}. ` : "";
  const explanation = [];
  if (percentile) explanation.push(`More similar than ${+hit.percentile.toFixed(2)} % of a sample of the archive`);
  if (z) {
    const side = hit.similarity_z < 0 ? "below" : "above";
    explanation.push(`${Math.abs(hit.similarity_z).toFixed(1)} standard deviations ${side} the mean of the sample`);
  }
  return { text: [z, percentile].filter(Boolean).join("  ·  "), explanation: `${cosine}${explanation.join("; ")}.` };
}

export function presentLabels(labels) {
  return Object.entries(labels ?? {})
    .filter(([, value]) => value === 1)
    .map(([label]) => label);
}

const SENTENCE = /(?<=[.!?])\s+(?=[A-Z0-9_])/;
const plain = (text) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();

/** Split a section of a report into sentences; `matched` marks those that made the image a hit. */
export function sentencesOf(section, found) {
  return section.split(SENTENCE).map((text) => ({ text, matched: found.has(text) }));
}

/** The sentences of a report that made it a hit: those that `why` quotes, else those with most of its words. */
export function matchedSentences(report, hit) {
  const sentences = Object.values(report ?? {}).flatMap((section) => section.split(SENTENCE));
  const reasons = (hit?.why ?? [])
    .filter((reason) => /^report\b/.test(reason))
    .map((reason) => reason.replace(/^report[^:]*:\s*/, ""));
  if (!reasons.length) return new Set();
  const quoted = sentences.filter((sentence) =>
    reasons.some((reason) => plain(reason).includes(" ") && plain(sentence) === plain(reason)),
  );
  if (quoted.length) return new Set(quoted);
  const words = [...new Set(reasons.flatMap((reason) => plain(reason).split(" ")))].filter(Boolean);
  const counts = sentences.map((sentence) => {
    const sentenceWords = plain(sentence).split(" ");
    return words.filter((word) => sentenceWords.some((candidate) => isSameWord(word, candidate))).length;
  });
  const most = Math.max(0, ...counts);
  return new Set(most ? sentences.filter((_, index) => counts[index] === most) : []);
}

/** Whether two words differ in their ending at most: effusion, effusions. */
function isSameWord(a, b) {
  if (a === b) return true;
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return (
    short.length >= 4 &&
    long.length - short.length <= 3 &&
    long.startsWith(short.slice(0, Math.max(4, short.length - 1)))
  );
}
