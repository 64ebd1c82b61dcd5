// The page: opens the session, then shows the search, or Streamlit's chat in a frame.

import { CallError } from "/viewer/host_client.js";
import { Address } from "./address.js";
import { SearchPage } from "./search_page.js";
import { Server } from "./server.js";
import { ServerGone, SessionRefused, hasCode, isOpen, onNewSession, openSession, secret } from "./session.js";

const CHECK_MS = 3000;
const ENDED = "This page belongs to a `mcp-cxr chat` that has ended. Open the link of the running one.";
const find = (id) => document.getElementById(id);
const server = new Server();
let address = null;
let search = null;
let shown = null;

function show(text) {
  find("notice").textContent = text ?? "";
  find("notice").hidden = !text;
}

/** Show the screen that the address names; Streamlit's is loaded when it is first shown. */
async function follow() {
  shown = address.read();
  const isChat = shown.screen === "chat";
  find("search").hidden = find("bar").hidden = isChat;
  find("chat").hidden = !isChat;
  for (const [id, isHere] of [["to-search", !isChat], ["to-chat", isChat]]) {
    if (isHere) find(id).setAttribute("aria-current", "page");
    else find(id).removeAttribute("aria-current");
  }
  if (isChat && !document.querySelector("iframe")) showFrame();
  if (!isChat) await search.follow();
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
    show(null);
    find("ended").hidden = !(await server.page()).has_ended;
  } catch (error) {
    if (!(error instanceof ServerGone || error instanceof CallError)) throw error;
    show(error.message);
  }
  setTimeout(check, CHECK_MS);
}

/** Show a message in place of everything: a page that goes on would send its requests to a stranger. */
function end(text) {
  find("page")?.remove();
  find("overlay").replaceChildren();
  show(text);
}

async function restart() {
  find("restart").disabled = true;
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
  find("to-search").addEventListener("click", () => (address.read().screen === "chat" ? go("search") : go("search", { search: {}, offset: 0 })));
  find("to-chat").addEventListener("click", () => go("chat"));
  find("restart").addEventListener("click", restart);
  addEventListener("popstate", () => (hasCode() ? null : follow()));
  find("page").hidden = false;
  setTimeout(check, CHECK_MS);
  await follow();
}

onNewSession(startAgain);
addEventListener("hashchange", () => (hasCode() ? startAgain() : null));
try {
  await start();
} catch (error) {
  if (!(error instanceof ServerGone || error instanceof SessionRefused)) throw error;
  end(error.message);
}
