"use strict";

// The button waits for the destination's name.  The server checks the name again.

(() => {
  const sync = () => {
    const field = document.getElementById("name");
    if (!field || field.disabled) return;
    const button = field.form.querySelector("button[type=submit]");
    button.disabled = field.value.trim() !== field.dataset.expected;
  };

  document.addEventListener("input", sync);
  document.addEventListener("DOMContentLoaded", sync);
  document.addEventListener("htmx:afterSettle", sync);
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "confirm") return;
    // After the form is sent, so that a second click sends nothing.
    setTimeout(() => event.target.querySelector("button[type=submit]").setAttribute("disabled", ""));
  });
})();
