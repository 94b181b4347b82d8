// The line that says what came of an order: below what the order was given in, where it covers nothing.

import { made, say, shortly } from "./text.js";

const SHOWN = 20_000; // milliseconds
const line = document.getElementById("done");
let ends = 0;

// The part of the screen that has the button; that of the line itself is where the line is.
export function placeOf(button) {
  const part = button.closest("main > *");
  return part === line ? line.previousElementSibling : part;
}

export function hideResult() {
  clearTimeout(ends);
  const focused = line.contains(document.activeElement);
  line.replaceChildren();
  if (focused) document.getElementById("main").focus({ preventScroll: true });
}

export function showResult(text, place, ...more) {
  const away = made("button", { type: "button", textContent: "Dismiss" });
  away.addEventListener("click", hideResult);
  line.replaceChildren(made("span", {}, ...shortly(text)), ...more, away);
  (place?.isConnected ? place : document.querySelector("main > h1")).after(line);
  line.scrollIntoView({ block: "nearest" });
  say(text);
  wait();
}

// Who is about to press one of its buttons has the time for it.
function wait() {
  clearTimeout(ends);
  ends = setTimeout(() => (line.matches(":hover, :focus-within") ? wait() : hideResult()), SHOWN);
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.querySelector("dialog[open]") === null) hideResult();
});
