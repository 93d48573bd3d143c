// Suggests symbols while one types; without it, the form finds them on a page of its own.
"use strict";
const field = document.getElementById("q");
const list = document.getElementById("suggestions");
let waiting = 0;
field.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    const text = field.value.trim();
    if (!text) return;
    const answer = await fetch(`/api/v1/symbols?limit=12&q=${encodeURIComponent(text)}`);
    if (!answer.ok || field.value.trim() !== text) return;
    list.replaceChildren(...(await answer.json()).map((row) => {
      const option = document.createElement("option");
      option.value = row.symbol;
      option.label = row.issue_name || row.symbol;
      return option;
    }));
  }, 120);
});
