// Gives orders: a look at once, every other one after its preview.

import { showRecords } from "./records.js";
import { hideResult, placeOf, showResult } from "./result.js";
import { made, say, shortly } from "./text.js";
import { instant } from "./times.js";

const dialog = document.getElementById("dialog");
let order = null;
let back = {}; // what was pressed: live changes may put another element in its place

async function send(wanted, dryRun) {
  const body = { ...wanted.given, dry_run: dryRun };
  if (!dryRun) {
    body.why = document.getElementById("why").value;
    body.who = document.getElementById("who").value;
  }
  const answer = await fetch(`/mappings/${encodeURIComponent(wanted.mapping)}/${wanted.name}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.error ?? `the daemon answers ${answer.status}`);
  return found;
}

function refuse(error) {
  const what = order.name === "peek" ? "Not shown" : "Not done";
  document.getElementById("refusal").replaceChildren(...shortly(`${what}: ${error.message}`));
  document.getElementById("confirm").disabled = true;
}

function pressed(button) {
  const { mapping, order: name, given } = button.dataset;
  const danger = button.classList.contains("danger");
  back = { around: button.closest("[id]")?.id, key: button.dataset.key };
  begin({ mapping, name, given: JSON.parse(given), text: button.textContent, place: placeOf(button), danger });
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
  back = {};
  begin({ mapping, name, given, text: form.querySelector("button").textContent, place: placeOf(form) });
}

function show(lines) {
  document.getElementById("impact").replaceChildren(...lines.map((line) => made("li", {}, ...shortly(line))));
}

function begin(wanted) {
  order = wanted;
  document.getElementById("impact").replaceChildren();
  document.getElementById("refusal").textContent = "";
  const looks = wanted.name === "peek";
  document.getElementById("order-title").textContent = looks ? wanted.text : `${wanted.text}?`;
  document.getElementById("cancel").textContent = looks ? "Close" : "Cancel";
  document.getElementById("confirm").hidden = document.getElementById("by").hidden = looks;
  ask(wanted);
  if (!dialog.open) {
    document.getElementById("why").value = "";
    document.getElementById("who").value = localStorage.getItem("who") ?? "";
    dialog.showModal();
  }
  return looks ? look(wanted) : preview(wanted);
}

// Nothing is consumed by a look, so nobody has to confirm it.
async function look(wanted) {
  document.getElementById("cancel").focus();
  show(["Looking…"]);
  try {
    const found = await send(wanted, false);
    if (order !== wanted) return;
    showRecords(found);
  } catch (error) {
    if (order !== wanted) return;
    show([]);
    refuse(error);
  }
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
  begin({ ...order, given: choice.value ? { ...given, function: choice.value } : given });
}

async function preview(wanted) {
  const confirm = document.getElementById("confirm");
  confirm.textContent = wanted.text;
  confirm.classList.toggle("danger", wanted.danger === true);
  confirm.disabled = true;
  if (wanted.name === "handover" && !wanted.given.function) return document.getElementById("function").focus();
  try {
    const found = await send(wanted, true);
    // another choice may have been made meanwhile
    if (order !== wanted) return;
    order.impact = found.impact;
    show(found.impact);
    confirm.disabled = false;
    // what drops records is never the next key away
    if (document.getElementById("ask").hidden) (wanted.danger ? document.getElementById("cancel") : confirm).focus();
  } catch (error) {
    if (order === wanted) refuse(error);
  }
}

function tellDone(done) {
  const text = `${order.text}: ${done.ending}`;
  if (done.result?.lines) {
    // the result is seen by itself
    hideResult();
    return say(text);
  }
  // what is still to come is as the preview said it
  const said = done.stage === "begun" ? order.impact[0] : done.effect;
  showResult(`${text}. ${said ?? ""}`, order.place, ...(order.name === "seek" ? [wayBack()] : []));
}

function wayBack() {
  const undo = made("button", { type: "button", textContent: "Undo this seek" });
  Object.assign(undo.dataset, { mapping: order.mapping, order: "undo", given: "{}" });
  return undo;
}

async function carryOut() {
  const confirm = document.getElementById("confirm");
  confirm.disabled = true;
  document.getElementById("ask").hidden = true;
  localStorage.setItem("who", document.getElementById("who").value);
  try {
    const done = await send(order, false);
    document.getElementById("cancel").textContent = "Close";
    if (!done.result?.lines) dialog.close();
    tellDone(done);
    if (!done.result?.lines) return;
    document.getElementById("order-title").textContent = `${order.text}: ${done.ending}`;
    show(done.result.lines);
    confirm.hidden = document.getElementById("by").hidden = true;
    document.getElementById("cancel").focus();
  } catch (error) {
    refuse(error);
  }
}

// What has to be said before an order is sent.
function need({ id, elements }) {
  const { of, place, partition, value } = Object.fromEntries([...elements].map((field) => [field.name, field]));
  if (!partition || !place) return;
  const several = document.getElementById("shards").options.length > 1;
  const looks = id === "peek" && of.value === "source" && several;
  const numbered = place.value === "sequence_number" && (id === "seek" || looks);
  const text = numbered ? "A sequence number is a place in one shard: say in which." : looks ? "Say in which shard." : "";
  partition.setCustomValidity(partition.value.trim() ? "" : text);
  value?.setCustomValidity(value.value.trim() || !["timestamp", "sequence_number"].includes(place.value) ? "" : "Say which.");
}

// What is typed is meant, whatever the choice beside it says.
function choose({ name, value, form }) {
  const place = form?.elements.namedItem("place");
  if (name !== "value" || !value.trim() || !place || ["timestamp", "sequence_number"].includes(place.value)) return;
  place.value = /^\d{20,}$/.test(value.trim()) ? "sequence_number" : "timestamp";
}

function goBack() {
  const active = document.activeElement;
  if (active !== document.body && !dialog.contains(active)) return;
  const around = back.around && document.getElementById(back.around);
  const found = around && back.key && around.querySelector(`[data-key="${CSS.escape(back.key)}"]`);
  (found || document.getElementById("main")).focus({ preventScroll: true });
}

export function takeOrders() {
  for (const form of document.querySelectorAll("form[data-order]")) need(form);
  document.addEventListener("input", (event) => {
    if (!event.target.form?.dataset.order) return;
    choose(event.target);
    need(event.target.form);
  });
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
  dialog.addEventListener("close", goBack);
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.tagName === "INPUT") {
      event.preventDefault();
      if (!document.getElementById("confirm").disabled) carryOut();
    }
  });
}
