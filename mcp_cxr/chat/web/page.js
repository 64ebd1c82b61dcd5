// The page: opens the session, then shows the search, the check of the data, or Streamlit's chat in a frame.

import { CallError } from "/viewer/host_client.js";
import { Address } from "./address.js";
import { CheckPage } from "./check_page.js";
import { SearchPage } from "./search_page.js";
import { Server } from "./server.js";
import { ServerGone, SessionRefused, hasCode, isOpen, onNewSession, openSession, secret } from "./session.js";

const CHECK_MS = 3000;
const ENDED = "This page belongs to a `mcp-cxr chat` that has ended. Open the link of the running one.";
const find = (id) => document.getElementById(id);
const server = new Server();
let address = null;
let search = null;
let dataCheck = null;
let shown = null;
let isLost = false; // the server does not answer

function show(text) {
  find("notice").textContent = text ?? "";
  find("notice").hidden = !text;
}

/** Show the screen that the address names; Streamlit's is loaded when it is first shown. */
async function follow() {
  shown = address.read();
  for (const screen of ["search", "check", "chat"]) {
    const isHere = shown.screen === screen;
    find(screen).hidden = !isHere;
    if (isHere) find(`to-${screen}`).setAttribute("aria-current", "page");
    else find(`to-${screen}`).removeAttribute("aria-current");
  }
  find("bar").hidden = shown.screen !== "search";
  if (shown.screen !== "search") search.leave();
  if (shown.screen !== "check") dataCheck.leave();
  if (shown.screen === "chat" && !document.querySelector("iframe")) showFrame();
  if (shown.screen === "search") await search.follow();
  if (shown.screen === "check") await dataCheck.follow();
}

function showFrame() {
  const frame = document.createElement("iframe");
  frame.src = `/frame/${encodeURIComponent(secret())}/`;
  frame.title = "Chat";
  frame.allow = "clipboard-write; fullscreen";
  find("chat").append(frame);
}

function go(screen, state) {
  address.push({ ...address.read(), image: null, compare: [], ...state, screen });
  follow();
}

/** Say so when the server has ended, or when another one that does not know this session answers in its place. */
async function check() {
  try {
    if (!(await isOpen())) return end(ENDED);
    if (isLost) show(null);
    isLost = false;
    find("ended").hidden = !(await server.page()).has_ended;
  } catch (error) {
    if (!(error instanceof ServerGone || error instanceof CallError)) throw error;
    isLost = true;
    show(error.message);
  }
  setTimeout(check, CHECK_MS);
}

/** Show a message in place of everything: a page that goes on would send its requests to a stranger. */
function end(text) {
  search?.leave();
  dataCheck?.leave();
  find("page")?.remove();
  show(text);
}

async function restart() {
  find("restart").disabled = true;
  show(null);
  try {
    await server.restart();
    find("ended").hidden = true;
    search.retry();
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    show(error.message);
  } finally {
    find("restart").disabled = false;
  }
}

/** A new link was opened here, or in another tab: a page that has ended starts again. */
function startAgain() {
  if (!find("page") || find("page").hidden) location.reload();
  else if (hasCode()) address.replace(shown); // the code belongs in no history
}

async function start() {
  await openSession();
  const { is_private: isPrivate, folder, has_pacs: hasPacs } = await server.page();
  address = new Address(isPrivate);
  const places = { bar: find("bar"), panels: find("panels"), content: find("search"), overlay: find("overlay"), rest: find("page"), message: find("message") };
  search = new SearchPage(server, address, { folder, hasPacs, places });
  dataCheck = new CheckPage(server, address, { content: find("check"), overlay: find("overlay"), rest: find("page") });
  find("to-search").addEventListener("click", () => (address.read().screen === "search" ? go("search", { search: {}, offset: 0 }) : go("search")));
  find("to-check").addEventListener("click", () => go("check", { list: null, offset: 0 }));
  find("to-chat").addEventListener("click", () => go("chat"));
  find("restart").addEventListener("click", restart);
  addEventListener("popstate", () => (hasCode() || !find("page") ? null : follow()));
  find("page").hidden = false;
  setTimeout(check, CHECK_MS);
  await follow();
}

onNewSession(startAgain);
addEventListener("hashchange", () => (hasCode() ? startAgain() : null));
try {
  await start();
} catch (error) {
  if (!(error instanceof ServerGone || error instanceof SessionRefused || error instanceof CallError)) throw error;
  end(error.message);
}
