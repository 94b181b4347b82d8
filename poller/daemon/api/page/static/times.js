// Times as spans, counted on the daemon's clock.

let ahead = 0; // milliseconds that the daemon's clock is ahead of this one

export function setClock(seconds) {
  ahead = seconds * 1000 - Date.now();
}

function span(seconds) {
  for (const [size, unit] of [[86400, "days"], [3600, "h"], [60, "min"]]) {
    if (seconds >= 2 * size) return `${Math.round(seconds / size)} ${unit}`;
  }
  return `${Math.round(seconds)} s`;
}

export function tell() {
  for (const time of document.querySelectorAll("time")) {
    const at = Date.parse(time.dateTime);
    const seconds = (at - Date.now() - ahead) / 1000;
    const past = span(Math.max(0, -seconds));
    const text = { ahead: seconds > 0 ? `in ${span(seconds)}` : "now", since: `for ${past}` }[time.dataset.shown] ?? `${past} ago`;
    if (time.textContent !== text) time.textContent = text;
    time.title = new Date(at).toLocaleString();
  }
}

const UNITS = { s: 1, m: 60, h: 3600, d: 86400 };

// "10 min ago" as an instant of the daemon's clock; other texts as they are.
export function instant(text) {
  const [, number, unit] = /^-?(\d+) ?([smhd])[a-z]*( ago)?$/i.exec(text) ?? [];
  if (!unit) return text;
  return new Date(Date.now() + ahead - number * UNITS[unit.toLowerCase()] * 1000).toISOString();
}
