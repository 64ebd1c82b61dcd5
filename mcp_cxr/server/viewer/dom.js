// Makes DOM elements. Data from reports, headers and file names is inserted as text only, never parsed as HTML.

/** Make an element; attributes that are null or false are omitted, `onclick` and the like become listeners. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const ICONS = {
  back: "M12 4 6 10l6 6",
  next: "M8 4l6 6-6 6",
  more: "M10 4v12M4 10h12",
  less: "M4 10h12",
  like: "M10 16.5 4.2 10.7a3.6 3.6 0 0 1 5.1-5.1l.7.7.7-.7a3.6 3.6 0 0 1 5.1 5.1z",
  unlike: "M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM5.5 5.5l9 9",
  compare: "M3.5 4.5h5.5v11H3.5zM11 4.5h5.5v11H11z",
  filters: "M3.5 6h13M6 10h8M8.5 14h3",
  search: "M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4zM12.7 12.7 16.5 16.5",
  full: "M4 8V4h4M12 4h4v4M16 12v4h-4M8 16H4v-4",
  window: "M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM10 3.5v13M10 6.5h4.4M10 10h6.4M10 13.5h4.4",
  pan: "M10 3v14M3 10h14M10 3 8 5M10 3l2 2M10 17l-2-2M10 17l2-2M3 10l2-2M3 10l2 2M17 10l-2-2M17 10l-2 2",
  ruler: "M3.5 13.5l10-10 3 3-10 10zM6.5 10.5l1.5 1.5M9 8l2 2M11.5 5.5 13 7",
  invert: "M10 3.5a6.5 6.5 0 1 0 0 13zM10 3.5a6.5 6.5 0 0 1 0 13",
  rotate: "M15.5 10a5.5 5.5 0 1 1-1.8-4.1M15.5 3.5v3.2h-3.2",
  flip: "M10 3v14M8 6 3.5 14H8zM12 6l4.5 8H12z",
  fit: "M3.5 3.5h13v13h-13zM7 10h6M10 7v6",
  actual: "M5 6.5 6.5 5.5v9M13 6.5l1.5-1v9M10 8.2v.1M10 11.8v.1",
  reset: "M4.5 10a5.5 5.5 0 1 0 1.8-4.1M4.5 3.5v3.2h3.2",
  link: "M8.5 11.5a3 3 0 0 0 4.2 0L15 9.2A3 3 0 0 0 10.8 5l-1 1M11.5 8.5a3 3 0 0 0-4.2 0L5 10.8A3 3 0 0 0 9.2 15l1-1",
  details: "M4 5h12M4 9h12M4 13h7",
  close: "M5 5l10 10M15 5 5 15",
  picture: "M3.5 4.5h13v11h-13zM3.5 13l4-4 3 3 2.5-2.5 3.5 3.5M13 7.5v.1",
  history: "M4.5 10a5.5 5.5 0 1 0 1.8-4.1M4.5 3.5v3.2h3.2M10 7v3.2l2.2 1.5",
  download: "M10 3.5v9M6.5 9.5 10 13l3.5-3.5M4 16.5h12",
  copy: "M7.5 7.5h9v9h-9zM4 12.5H3.5v-9h9V4",
  note: "M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM10 9v4.2M10 6.6v.1",
};

/** Make an icon, hidden from screen readers. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}

/** A button with an icon; its label is visible text if `words`, else its accessible name and tooltip. */
export function iconButton(name, label, onclick, { words = false, ...attributes } = {}) {
  const named = words ? {} : { "aria-label": label, title: label };
  const kind = `tool${words ? " labeled" : ""}${attributes.class ? ` ${attributes.class}` : ""}`;
  return element(
    "button",
    { type: "button", onclick, ...named, ...attributes, class: kind },
    icon(name),
    words && label,
  );
}

/** A list of notices for the user, or null if there are none. */
export function notices(texts) {
  const shown = texts.filter(Boolean);
  const notice = (text) => element("li", {}, icon("note"), element("span", {}, text));
  return shown.length ? element("ul", { class: "notices" }, shown.map(notice)) : null;
}

/** Announce a text to screen readers. */
export function announce(text) {
  document.getElementById("status").textContent = text;
}
