// Reads tool results, and puts their fields into words.

const MODES = {
  semantic: "by pixels",
  keyword: "by words",
  hybrid: "by pixels and words",
  similar: "by example",
  filter: "by filters, newest first",
};
const GROUPS = { study: ["study", "studies"], subject: ["patient", "patients"], none: ["image", "images"] };

function textsOf(result) {
  return (Array.isArray(result?.content) ? result.content : [])
    .filter((block) => block?.type === "text" && typeof block.text === "string")
    .map((block) => block.text);
}

/** The data of a result: structured, or else JSON in a text block; null if the host forwarded neither. */
function dataOf(result, isExpected) {
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

const isSearchResult = (data) => Array.isArray(data?.images) && typeof data.search_mode === "string";
const isImageDetails = (data) => typeof data?.image_id === "string" && typeof data.tags === "object";
const isValuesTile = (data) => typeof data?.data === "string" && typeof data.factor === "number";

/** The search arguments that give a result again, as far as the result names them. */
function searchOf(page) {
  return { ...(page.query ? { query: page.query } : {}), ...page.filters, limit: Math.max(1, page.results_count || 5) };
}

function counted(number, group) {
  const [singular, plural] = GROUPS[group] ?? GROUPS.study;
  return `${number.toLocaleString("en")} ${number === 1 ? singular : plural}`;
}

function similarityOf(hit) {
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

function presentLabels(labels) {
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
function sentencesOf(section, found) {
  return section.split(SENTENCE).map((text) => ({ text, matched: found.has(text) }));
}

/** The sentences of a report that made it a hit: those that `why` quotes, else those with most of its words. */
function matchedSentences(report, hit) {
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
