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

function refuse(error) {
  document.getElementById("refusal").textContent = `Not done: ${error.message}`;
  document.getElementById("confirm").disabled = true;
}

function given(button) {
  const { mapping, order: name, key, ...given } = button.dataset;
  if ("lane" in given) given.lane = Number(given.lane);
  for (const flag of ["drop", "resetAttempts"]) if (flag in given) given[flag] = true;
  if ("resetAttempts" in given) {
    given.reset_attempts = given.resetAttempts;
    delete given.resetAttempts;
  }
  if ("recordKey" in given) {
    // the button's own key names it after a change
    given.key = given.recordKey;
    delete given.recordKey;
  }
  preview({ mapping, name, given, text: button.textContent });
}

function seek(form) {
  const { to, value, partition } = Object.fromEntries(new FormData(form));
  const given = to === to.toUpperCase() ? { to } : { [to]: value.trim() };
  if (partition.trim()) given.partition = partition.trim();
  preview({ mapping: form.dataset.mapping, name: "seek", given, text: "Seek" });
}

function show(lines) {
  document.getElementById("impact").replaceChildren(
    ...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })),
  );
}

async function preview(wanted) {
  order = wanted;
  document.getElementById("order-title").textContent = `${wanted.text}?`;
  document.getElementById("impact").replaceChildren();
  document.getElementById("refusal").textContent = "";
  document.getElementById("why").value = "";
  document.getElementById("who").value = localStorage.getItem("who") ?? "";
  const confirm = document.getElementById("confirm");
  confirm.textContent = wanted.text;
  confirm.disabled = true;
  dialog.showModal();
  try {
    const found = await send(true);
    show(found.impact);
    confirm.disabled = false;
    confirm.focus();
  } catch (error) {
    refuse(error);
  }
}

async function carryOut() {
  const confirm = document.getElementById("confirm");
  confirm.disabled = true;
  localStorage.setItem("who", document.getElementById("who").value);
  try {
    const done = await send(false);
    say(`${order.text}: ${done.stage}`);
    if (done.result?.lines) show(done.result.lines);
    else dialog.close();
  } catch (error) {
    refuse(error);
  }
}

if (main?.dataset.live) listen(main.dataset.live);
document.getElementById("filter")?.addEventListener("input", filter);
if (dialog !== null) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-order]");
    if (button !== null && button !== undefined) given(button);
  });
  document.getElementById("seek")?.addEventListener("submit", (event) => {
    event.preventDefault();
    seek(event.target);
  });
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
