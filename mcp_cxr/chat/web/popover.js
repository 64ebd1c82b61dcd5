// A button that opens a panel below it: closed by Escape, by a click elsewhere, or by `close`.

import { element, iconButton } from "/viewer/dom.js";

const EDGE_PX = 8;
let last = 0;

/** Return the button and its panel; `fill` returns the panel's content each time it opens. */
export function popoverButton(icon, label, fill, options = {}) {
  const id = `panel-${(last += 1)}`;
  const panel = element("div", { id, popover: "auto", class: "panel-over", role: "dialog", "aria-label": label });
  const button = iconButton(icon, label, null, { ...options, popovertarget: id, "aria-haspopup": "dialog" });
  const placeAgain = () => place(panel, button);
  panel.addEventListener("beforetoggle", ({ newState }) => {
    if (newState === "open") panel.replaceChildren(...[fill(() => panel.hidePopover())].flat().filter(Boolean));
  });
  panel.addEventListener("toggle", ({ newState }) => {
    if (newState !== "open") return removeEventListener("resize", placeAgain);
    place(panel, button);
    addEventListener("resize", placeAgain);
    panel.querySelector("[autofocus], input, select, button")?.focus();
  });
  return [button, panel];
}

function place(panel, button) {
  const at = button.getBoundingClientRect();
  const left = Math.min(at.left, document.documentElement.clientWidth - panel.offsetWidth - EDGE_PX);
  panel.style.left = `${Math.max(EDGE_PX, left)}px`;
  panel.style.top = `${at.bottom + 4}px`;
  panel.style.maxHeight = `${window.innerHeight - at.bottom - 4 - EDGE_PX}px`;
}
