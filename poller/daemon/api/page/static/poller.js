// The page's script: puts the modules beside it to work.

import { filter, listen } from "./changes.js";
import { takeOrders } from "./orders.js";
import { copy } from "./text.js";
import { setClock, tell } from "./times.js";

const main = document.getElementById("main");
if (main?.dataset.now) setClock(Number(main.dataset.now));
if (main?.dataset.live) listen(main.dataset.live);
document.getElementById("filter")?.addEventListener("input", filter);
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[data-copy]");
  if (button) copy(button, button.dataset.copy);
});
if (document.getElementById("dialog") !== null) takeOrders();
tell();
setInterval(tell, 1000);
