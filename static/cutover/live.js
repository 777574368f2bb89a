"use strict";

// The parts of a polled page that lie outside the polled fragment: the window's title, the spoken
// announcement, the note that the connection is gone, and how often a hidden tab asks.  Everything
// works without this file.

(() => {
  const suffix = " | Cutover";
  let lastUpdate = new Date();

  const told = new Map(); // what each fragment has announced last, by its id

  // Only at milestones: what a fragment has said already is not said again at each poll.
  const announce = (fragments) => {
    const status = document.getElementById("announcement");
    const news = fragments.filter((one) => told.get(one.id) !== one.dataset.announce);
    news.forEach((one) => told.set(one.id, one.dataset.announce));
    const text = news.map((one) => one.dataset.announce).join(" ").trim();
    if (status && text) status.textContent = text;
  };

  const disconnected = () => {
    const note = document.getElementById("connection");
    if (!note) return;
    note.textContent =
      `Not updated since ${lastUpdate.toLocaleTimeString()}: the dashboard does not answer. ` +
      "A run that is under way does not need this page. Trying again…";
    note.hidden = false;
  };

  const connected = () => {
    lastUpdate = new Date();
    const note = document.getElementById("connection");
    if (note) note.hidden = true;
    const fragments = [...document.querySelectorAll("[data-announce]")];
    const titled = fragments.find((one) => one.dataset.title);
    if (titled) document.title = titled.dataset.title + suffix;
    announce(fragments);
  };

  // A worker is there again: what its note describes need not wait for one any more.
  const free = () => {
    document.querySelectorAll("[data-worker-is-back]").forEach((note) => {
      document.querySelectorAll(`[aria-describedby="${note.id}"]`).forEach((button) => {
        button.removeAttribute("aria-describedby");
        button.disabled = false;
      });
    });
  };

  // A tab that nobody sees asks less often: its title and its notification may be so much later.
  const hiddenEvery = 10000; // milliseconds
  const askedAt = new Map(); // by the id of the polled element, which each answer replaces

  const slowWhileHidden = (event) => {
    const element = event.detail.elt;
    if (!(element.getAttribute("hx-trigger") || "").startsWith("every ")) return;
    const now = Date.now();
    if (document.hidden && now - askedAt.get(element.id) < hiddenEvery) event.preventDefault();
    else askedAt.set(element.id, now);
  };

  // Escape closes what a click has opened: "Cancel this run…" and its like.
  const close = (event) => {
    const opened = event.key === "Escape" && event.target.closest(".cutover details[open]");
    if (!opened) return;
    opened.open = false;
    opened.querySelector("summary").focus();
  };

  document.addEventListener("keydown", close);
  document.addEventListener("htmx:beforeRequest", slowWhileHidden);
  document.addEventListener("DOMContentLoaded", connected);
  // Not afterSettle, which comes a moment later: title and page would say two things meanwhile.
  document.addEventListener("htmx:afterSwap", connected);
  document.addEventListener("htmx:afterSwap", free);
  ["htmx:sendError", "htmx:timeout", "htmx:responseError"].forEach((name) => {
    document.addEventListener(name, disconnected);
  });
})();
