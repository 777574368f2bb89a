"use strict";

// The button waits for the destination's name, for choices of transforms to be applied, and for a
// worker (a note, by which it is described then, says that there is none; see live.js).
// The server checks the name again, and starts with those transforms that were applied.

(() => {
  const sync = () => {
    const waiting = unapplied();
    const note = document.getElementById("unapplied");
    if (note) note.hidden = !waiting;
    const field = document.getElementById("name");
    if (!field || field.disabled) return;
    const button = field.form.querySelector("button[type=submit]");
    const named = field.value.trim() === field.dataset.expected;
    button.disabled = waiting || !named || button.hasAttribute("aria-describedby");
  };

  const unapplied = () =>
    [...document.querySelectorAll("#transforms option")].some(
      (option) => option.selected !== option.defaultSelected,
    );

  document.addEventListener("input", sync);
  document.addEventListener("change", sync);
  document.addEventListener("DOMContentLoaded", sync);
  document.addEventListener("htmx:afterSettle", sync);
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "confirm") return;
    // After the form is sent, so that a second click sends nothing.
    setTimeout(() => event.target.querySelector("button[type=submit]").setAttribute("disabled", ""));
  });
})();
