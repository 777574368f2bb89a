"use strict";

// Search, select all, and the sum of the selection.  Without this file the search box asks the
// server, the boxes of whole apps are understood by the server, and the sum is on the next page.

(() => {
  const NAMED = 8; // tables that are named before "and N more"
  const rows = () => [...document.querySelectorAll("#tables tr.row")];
  const box = (row) => row.querySelector("input[name=label]");
  const number = (value) => value.toLocaleString("en-US");
  const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;
  const selectable = (row) => !row.hidden && box(row) && !box(row).disabled;

  // The rows that the box of an app, or of all apps ("*"), stands for.
  const members = (app) =>
    rows().filter(
      (row) =>
        selectable(row) &&
        !("leftOut" in row.dataset) &&
        (app === "*" || row.parentElement.dataset.app === app),
    );

  const filter = () => {
    const field = document.getElementById("q");
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    document.querySelectorAll("#tables tbody[data-app]").forEach((body) => {
      let any = false;
      body.querySelectorAll("tr.row").forEach((row) => {
        const text = row.dataset.text.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) found += 1;
        any = any || !row.hidden;
      });
      body.hidden = !any;
    });
    const note = document.getElementById("nothing-found");
    if (note) note.hidden = found > 0;
  };

  const syncBoxes = () => {
    document.querySelectorAll("#tables input[data-app]").forEach((input) => {
      const all = members(input.dataset.app);
      const ticked = all.filter((row) => box(row).checked).length;
      input.removeAttribute("name"); // its tables are ticked one by one
      input.checked = all.length > 0 && ticked === all.length;
      input.indeterminate = ticked > 0 && ticked < all.length;
      input.disabled = all.length === 0;
    });
  };

  const total = (selected, key) =>
    selected.reduce((sum, row) => sum + (Number(row.dataset[key]) || 0), 0);

  const sentence = (selected) => {
    if (!selected.length) return "Nothing is selected.";
    const exact = selected.every((row) => row.dataset.exact);
    const hidden = selected.filter((row) => row.hidden).length;
    return (
      `${plural(selected.length, "table")} selected` +
      (hidden ? ` (${number(hidden)} not shown)` : "") +
      `: ${exact ? "" : "≈ "}${plural(total(selected, "source"), "row")} to copy, ` +
      `${plural(total(selected, "dest"), "row")} to wipe.`
    );
  };

  const reach = (selected) => {
    const labels = new Set(selected.map((row) => row.dataset.label));
    const found = new Set();
    selected.forEach((row) => {
      row.dataset.referencedBy.split(" ").forEach((label) => {
        if (label && !labels.has(label)) found.add(label);
      });
    });
    return [...found];
  };

  const reachSentence = (labels) =>
    `Not selected, but referencing the selection: ${labels.slice(0, NAMED).join(", ")}` +
    (labels.length > NAMED ? ` and ${number(labels.length - NAMED)} more.` : ".");

  const write = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  const sum = () => {
    const status = document.getElementById("selection-sum");
    if (!status) return;
    const selected = rows().filter((row) => box(row) && box(row).checked);
    const reached = reach(selected);
    const note = document.getElementById("selection-reach");
    write(status, sentence(selected));
    write(note, reached.length ? reachSentence(reached) : "");
    note.hidden = !reached.length;
    status.parentElement.querySelectorAll("button").forEach((button) => {
      button.disabled = !selected.length || button.hasAttribute("aria-describedby");
    });
  };

  const refresh = () => {
    filter();
    syncBoxes();
    sum();
  };

  const tick = (event) => {
    const app = event.target.dataset && event.target.dataset.app;
    if (app) members(app).forEach((row) => (box(row).checked = event.target.checked));
    if (event.target.type === "checkbox") refresh();
  };

  // A poll replaces the rows: what was ticked before stays ticked.
  let kept = null;
  const keep = () => {
    kept = new Set(rows().filter((row) => box(row) && box(row).checked).map((row) => box(row).value));
  };
  const restore = () => {
    if (!kept) return;
    rows().forEach((row) => {
      if (box(row)) box(row).checked = kept.has(box(row).value) && !box(row).disabled;
    });
    kept = null;
    refresh();
  };

  document.addEventListener("htmx:beforeSwap", keep);
  document.addEventListener("htmx:afterSwap", restore);
  document.addEventListener("change", tick);
  document.addEventListener("input", (event) => {
    if (event.target.id === "q") refresh();
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id === "search") event.preventDefault();
  });
  window.addEventListener("pageshow", refresh); // also when the browser goes back to this page
  document.addEventListener("DOMContentLoaded", refresh);
})();
