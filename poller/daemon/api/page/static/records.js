// Shows the records that were looked at, each to be copied as an event.

import { copy, made, shortly } from "./text.js";

export function showRecords({ result, impact }) {
  const found = made("li", { tabIndex: -1 }, made("p", {}, ...shortly(result.lines.at(-1))));
  // what the look itself did, such as a receive of each message
  const done = made("li", { className: "quiet" }, ...shortly(impact.join(" ")));
  document.getElementById("impact").replaceChildren(found, ...result.records.map(shown), done);
  // a screen reader says it, since all outside the dialog is silent
  found.focus();
}

function shown(record) {
  const size = record.size === 1 ? "1 byte" : `${record.size} bytes`;
  const about = [record.id, record.at ?? "time unknown", record.key ? `key ${record.key}` : "", size];
  const head = made("p", {}, ...shortly([...about, ...record.packed].filter(Boolean).join(", ")));
  const why = record.why ? [made("p", { className: "error" }, ...shortly(`Given up: ${record.why}`))] : [];
  const item = made("li", {}, head, ...why, made("pre", { textContent: record.payload }));
  if (record.event) {
    const copying = made("button", { type: "button", textContent: "Copy as event" });
    copying.addEventListener("click", () => copy(copying, JSON.stringify(record.event, null, 2)));
    item.append(copying);
  }
  return item;
}
