// Elements and texts, which the other modules put together.

const policy = globalThis.trustedTypes?.createPolicy("poller", { createHTML: (html) => html }) ?? {
  createHTML: (html) => html,
};

// The only place where markup becomes part of the document; it is the daemon's, which escapes what others say.
export function element(html) {
  const template = document.createElement("template");
  template.innerHTML = policy.createHTML(html);
  return template.content.firstElementChild;
}

export function made(name, properties, ...children) {
  const found = Object.assign(document.createElement(name), properties);
  found.append(...children);
  return found;
}

export function say(text) {
  document.getElementById("said").textContent = text;
}

// As `words.LONG`: sequence numbers, and tokens of change streams.
const LONG = /\b(?:\d{21,}|[0-9A-Fa-f]{32,})\b/g;

// A text with its long numbers short, each a button that copies the whole.
export function shortly(text) {
  const found = [];
  let end = 0;
  for (const { 0: whole, index } of text.matchAll(LONG)) {
    const short = `${whole.slice(0, 4)}…${whole.slice(-4)}`;
    const button = made("button", { type: "button", className: "whole", title: whole, textContent: short });
    button.ariaLabel = `${short}, copy the whole`;
    button.dataset.copy = whole;
    found.push(text.slice(end, index), button);
    end = index + whole.length;
  }
  return [...found, text.slice(end)];
}

export async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = before), 2000);
    say("Copied");
  } catch {
    // browsers have a clipboard only on this machine, and over TLS
    const rows = Math.min(12, text.split("\n").length);
    const area = made("textarea", { readOnly: true, value: text, rows, ariaLabel: "To be copied" });
    button.replaceWith(area);
    area.select();
  }
}
