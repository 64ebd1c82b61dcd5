// Takes results away: as a table, as pictures, or as the original files after a yes.

import { announce, element } from "/viewer/dom.js";
import { CallError } from "/viewer/host_client.js";
import { GROUPS } from "./words.js";

const MOST_ROWS = 10_000;
const MOST_PACKED = 500;
const KINDS = {
  csv: ["Table (CSV)", "images.csv", null],
  zip: ["Pictures (ZIP)", "images.zip", "Anyone who has the file can see the images, and any text burned into the pixels."],
  originals: ["Original files (ZIP)", "originals.zip", "The files are packed as they are: their headers may hold names and birth dates."],
};

/** The content of the export's panel; `say` shows a message if the panel is closed when an export fails. */
export function exportForm({ page, search, selected, server, say, close }) {
  const all = page.matched_results ?? page.total_results;
  if (!all && !selected.size) return [element("p", {}, "There is nothing to export.")];
  const form = element("form", { class: "export", onsubmit: (event) => event.preventDefault() });
  const status = element("p", { class: "muted", role: "status" });
  const scope = element(
    "fieldset",
    {},
    element("legend", {}, "Images to export"),
    selected.size ? radio("scope", "selected", `Export selection (${selected.size})`, true) : null,
    all ? radio("scope", "all", allWords(page, all, search.group), !selected.size) : null,
  );
  const count = () => (new FormData(form).get("scope") === "selected" ? selected.size : Math.min(all, MOST_ROWS));
  const kinds = Object.entries(KINDS).map(([kind, [words, name, warning]]) => {
    const yes = element("input", { type: "checkbox" });
    const button = element("button", { type: "button", class: "tool labeled", disabled: Boolean(warning), onclick: () => make(kind, name) }, words);
    yes.addEventListener("change", () => (button.disabled = !yes.checked));
    return element("div", { class: "kind" }, warning ? element("label", { class: "check" }, yes, element("span", {}, `Yes. ${warning}`)) : null, button);
  });

  async function make(kind, name) {
    if (kind !== "csv" && count() > MOST_PACKED) {
      status.textContent = `${count().toLocaleString("en")} images are too many for one ZIP file; at most ${MOST_PACKED} fit. Select fewer, or export the table.`;
      return;
    }
    const ranks = new FormData(form).get("scope") === "selected" ? Object.fromEntries([...selected.values()].map((hit) => [hit.image_id, hit.rank])) : null;
    status.textContent = `Reading ${count().toLocaleString("en")} images …`;
    form.setAttribute("aria-busy", "true");
    try {
      save(await server.exported(kind, search, ranks), name);
      announce(`${name} was made.`);
      if (form.isConnected) close(); // else the panel was closed, and may be open for another export
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      if (form.isConnected) status.textContent = error.message;
      else say(`${name} was not made: ${error.message}`);
    } finally {
      form.removeAttribute("aria-busy");
    }
  }

  form.append(scope, ...kinds, status);
  return [form];
}

function allWords(page, all, group = "study") {
  const number = all.toLocaleString("en");
  const each = group === "none" ? "" : `, one image per ${GROUPS[group]}`;
  if (all > MOST_ROWS) return `Export the first ${MOST_ROWS.toLocaleString("en")} of ${number}${each}`;
  return `Export all ${number}${typeof page.matched_results === "number" ? " that match" : ""}${each}`;
}

function radio(name, value, words, checked) {
  return element("label", { class: "check" }, element("input", { type: "radio", name, value, checked }), element("span", {}, words));
}

/** Let the browser save a file. */
function save(content, name) {
  const url = URL.createObjectURL(content);
  const link = element("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
