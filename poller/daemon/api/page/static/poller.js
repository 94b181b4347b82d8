// The page's script: takes the changes of the screen, shows times as spans, and confirms orders after their preview.

const policy = globalThis.trustedTypes?.createPolicy("poller", { createHTML: (html) => html }) ?? {
  createHTML: (html) => html,
};
const main = document.getElementById("main");
const dialog = document.getElementById("dialog");
const news = []; // what a screen reader says of the present message
let ahead = 0; // milliseconds that the daemon's clock is ahead of this one

function element(html) {
  const template = document.createElement("template");
  template.innerHTML = policy.createHTML(html);
  return template.content.firstElementChild;
}

function say(text) {
  document.getElementById("said").textContent = text;
}

// Changes

function put(list, id, html) {
  const next = element(html);
  const old = document.getElementById(id);
  if (old === null) {
    list.append(next);
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
  ahead = message.now * 1000 - Date.now();
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

function listen(address) {
  const live = document.getElementById("live");
  const events = new EventSource(address);
  events.onopen = () => (live.textContent = "live");
  events.onmessage = (event) => take(JSON.parse(event.data));
  events.onerror = () => {
    live.textContent = events.readyState === EventSource.CLOSED ? "not live: reload the page" : "reconnecting…";
  };
}

// Times

function span(seconds) {
  for (const [size, unit] of [[86400, "days"], [3600, "h"], [60, "min"]]) {
    if (seconds >= 2 * size) return `${Math.round(seconds / size)} ${unit}`;
  }
  return `${Math.round(seconds)} s`;
}

function tell() {
  for (const time of document.querySelectorAll("time")) {
    const at = Date.parse(time.dateTime);
    const seconds = (at - Date.now() - ahead) / 1000;
    const past = span(Math.max(0, -seconds));
    const text = { ahead: seconds > 0 ? `in ${span(seconds)}` : "now", since: `for ${past}` }[time.dataset.shown] ?? `${past} ago`;
    if (time.textContent !== text) time.textContent = text;
    time.title = new Date(at).toLocaleString();
  }
}

function filter() {
  const wanted = document.getElementById("filter")?.value.trim().toLowerCase();
  if (wanted === undefined) return;
  for (const row of document.querySelectorAll("#rows > tr")) row.hidden = !row.textContent.toLowerCase().includes(wanted);
}

// Orders

let order = null;

async function send(dryRun) {
  const body = { ...order.given, dry_run: dryRun };
  if (!dryRun) {
    body.why = document.getElementById("why").value;
    body.who = document.getElementById("who").value;
  }
  const answer = await fetch(`/mappings/${encodeURIComponent(order.mapping)}/${order.name}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.error ?? `the daemon answers ${answer.status}`);
  return found;
}

function tellDone(done, impact) {
  const text = `${order.text}: ${done.stage}`;
  if (done.result?.lines) return say(text); // the result is seen by itself
  document.getElementById("done").textContent = `${text}. ${impact[0] ?? ""}`;
}

function refuse(error) {
  document.getElementById("refusal").textContent = `Not done: ${error.message}`;
  document.getElementById("confirm").disabled = true;
}

function pressed(button) {
  const { mapping, order: name, given } = button.dataset;
  preview({ mapping, name, given: JSON.parse(given), text: button.textContent });
}

const UNITS = { s: 1, m: 60, h: 3600, d: 86400 };
// "10 min ago" as an instant of the daemon's clock; other texts as they are.
function instant(text) {
  const [, number, unit] = /^-?(\d+) ?([smhd])[a-z]*( ago)?$/i.exec(text) ?? [];
  if (!unit) return text;
  return new Date(Date.now() + ahead - number * UNITS[unit.toLowerCase()] * 1000).toISOString();
}

// `place` is a choice that names another member of the order, with its value or with that of the field `value`.
function filled(form) {
  const given = JSON.parse(form.dataset.given);
  for (const field of form.elements) {
    const text = field.value.trim();
    if (field.type === "checkbox") {
      if (field.checked) given[field.name] = true;
    } else if (field.name === "place" && text) {
      const [name, value] = text.split("=");
      given[name] = value === "true" ? true : value ?? instant(form.elements.namedItem("value").value.trim());
    } else if (field.name && field.name !== "value" && text) {
      given[field.name] = field.type === "number" ? Number(text) : ["begin", "end"].includes(field.name) ? instant(text) : text;
    }
  }
  const { mapping, order: name } = form.dataset;
  preview({ mapping, name, given, text: form.querySelector("button").textContent });
}

function made(name, properties, ...children) {
  const found = Object.assign(document.createElement(name), properties);
  found.append(...children);
  return found;
}

function show(lines) {
  document.getElementById("impact").replaceChildren(...lines.map((line) => made("li", { textContent: line })));
}

// Records that were looked at

function shown(record) {
  const about = [record.id, record.at ?? "time unknown", record.key ? `key ${record.key}` : "", `${record.size} bytes`];
  const head = made("p", { textContent: [...about, ...record.packed].filter(Boolean).join(", ") });
  const item = made("li", {}, head, made("pre", { textContent: record.payload }));
  if (record.event) {
    const copying = made("button", { type: "button", textContent: "Copy as event" });
    copying.addEventListener("click", () => copy(copying, JSON.stringify(record.event, null, 2)));
    item.append(copying);
  }
  return item;
}

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    say("Copied");
  } catch {
    // browsers have a clipboard only on this machine, and over TLS
    const area = made("textarea", { readOnly: true, value: text, rows: 12, ariaLabel: "The event, to be copied" });
    button.replaceWith(area);
    area.select();
  }
}

function tellResult(result) {
  if (result.records === undefined) return show(result.lines);
  show(result.lines.slice(-1));
  document.getElementById("impact").prepend(...result.records.map(shown));
}

// The function that an order names, where it names one

const FIRST = { handover: "choose one", rerun: "the mapping's own" };

function ask(wanted) {
  const choice = document.getElementById("function");
  document.getElementById("ask").hidden = !(wanted.name in FIRST);
  if (wanted.name in FIRST) choice.options[0].textContent = FIRST[wanted.name];
  choice.value = wanted.given.function ?? "";
}

function chosen(choice) {
  const { function: before, ...given } = order.given;
  preview({ ...order, given: choice.value ? { ...given, function: choice.value } : given });
}

async function preview(wanted) {
  order = wanted;
  document.getElementById("order-title").textContent = `${wanted.text}?`;
  document.getElementById("cancel").textContent = "Cancel";
  ask(wanted);
  document.getElementById("impact").replaceChildren();
  document.getElementById("refusal").textContent = document.getElementById("done").textContent = "";
  const confirm = document.getElementById("confirm");
  confirm.textContent = wanted.text;
  confirm.disabled = true;
  confirm.hidden = document.getElementById("by").hidden = false;
  if (!dialog.open) {
    document.getElementById("why").value = "";
    document.getElementById("who").value = localStorage.getItem("who") ?? "";
    dialog.showModal();
  }
  if (wanted.name === "handover" && !wanted.given.function) return document.getElementById("function").focus();
  try {
    const found = await send(true);
    // another choice may have been made meanwhile
    if (order !== wanted) return;
    show(found.impact);
    confirm.disabled = false;
    if (document.getElementById("ask").hidden) confirm.focus();
  } catch (error) {
    if (order === wanted) refuse(error);
  }
}

async function carryOut() {
  const confirm = document.getElementById("confirm");
  confirm.disabled = true;
  document.getElementById("ask").hidden = true;
  const impact = [...document.querySelectorAll("#impact > li")].map((line) => line.textContent);
  localStorage.setItem("who", document.getElementById("who").value);
  try {
    const done = await send(false);
    tellDone(done, impact);
    document.getElementById("cancel").textContent = "Close";
    if (!done.result?.lines) return dialog.close();
    document.getElementById("order-title").textContent = order.text;
    tellResult(done.result);
    confirm.hidden = document.getElementById("by").hidden = true;
    document.getElementById("cancel").focus();
  } catch (error) {
    refuse(error);
  }
}

if (main?.dataset.live) listen(main.dataset.live);
document.getElementById("filter")?.addEventListener("input", filter);
if (dialog !== null) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-order]");
    if (button) pressed(button);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.dataset.order) return;
    event.preventDefault();
    filled(event.target);
  });
  document.getElementById("function").addEventListener("change", (event) => chosen(event.target));
  document.getElementById("confirm").addEventListener("click", carryOut);
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.tagName === "INPUT") {
      event.preventDefault();
      if (!document.getElementById("confirm").disabled) carryOut();
    }
  });
}
tell();
setInterval(tell, 1000);
