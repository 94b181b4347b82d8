// Takes the changes of the screen, and keeps focus, filter and what is unfolded.

import { element, say } from "./text.js";
import { setClock, tell } from "./times.js";

const main = document.getElementById("main");
const news = []; // what a screen reader says of the present message

function put(list, id, html) {
  const next = element(html);
  const old = document.getElementById(id);
  if (old === null) {
    list.append(next);
    // such as the way back after a seek
    list.closest("details")?.setAttribute("open", "");
    return;
  }
  if (old.dataset.state !== next.dataset.state && next.dataset.name) {
    news.push(`${next.dataset.name} is now ${next.dataset.state}`);
  }
  const focused = old.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  next.hidden = old.hidden;
  if (old.querySelector("details[open]")) next.querySelector("details")?.setAttribute("open", "");
  old.replaceWith(next);
  if (focused !== undefined) {
    (next.querySelector(`[data-key="${CSS.escape(focused)}"]`) ?? main).focus({ preventScroll: true });
  }
}

function arrange(list, order) {
  const kept = new Set(order);
  for (const child of [...list.children]) {
    if (!kept.has(child.id)) {
      if (child.contains(document.activeElement)) main.focus({ preventScroll: true });
      child.remove();
    }
  }
  const active = document.activeElement;
  order.forEach((id, place) => {
    const child = document.getElementById(id);
    if (child !== null && list.children[place] !== child) list.insertBefore(child, list.children[place] ?? null);
  });
  // an element that is moved loses the focus
  if (active !== document.activeElement && active.isConnected) active.focus({ preventScroll: true });
}

function take(message) {
  setClock(message.now);
  for (const [name, change] of Object.entries(message.lists)) {
    const list = document.getElementById(name);
    if (list === null) continue;
    for (const [id, html] of Object.entries(change.set ?? {})) put(list, id, html);
    if (change.order) arrange(list, change.order);
  }
  if (news.length) say(news.splice(0).join(", "));
  filter();
  tell();
}

export function listen(address) {
  const live = document.getElementById("live");
  const events = new EventSource(address);
  events.onopen = () => (live.textContent = "live");
  events.onmessage = (event) => take(JSON.parse(event.data));
  events.onerror = () => {
    live.textContent = events.readyState === EventSource.CLOSED ? "not live: reload the page" : "reconnecting…";
  };
}

export function filter() {
  const wanted = document.getElementById("filter")?.value.trim().toLowerCase();
  if (wanted === undefined) return;
  for (const row of document.querySelectorAll("#rows > tr")) row.hidden = !row.textContent.toLowerCase().includes(wanted);
}
