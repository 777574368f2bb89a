"use strict";

// "Notify me when it ends": the browser's own notification, as long as the page is open.  The
// permission is asked for by a click only.  Everything works without this file.

(() => {
  let wanted = false;

  const isActive = () => document.querySelector("[data-active]") !== null;

  const refresh = () => {
    const offer = document.getElementById("notify");
    if (!offer || !("Notification" in window)) return;
    if (wanted && !isActive()) tell();
    offer.hidden = !isActive();
  };

  const tell = () => {
    wanted = false;
    const run = document.getElementById("run");
    try {
      new Notification(document.title, { body: run ? run.dataset.announce : "" });
    } catch {
      // Some browsers of telephones allow it to service workers only; the title says it as well.
    }
  };

  const ask = async () => {
    wanted = (await Notification.requestPermission()) === "granted";
    if (wanted) document.getElementById("notify-button").remove();
    document.getElementById("notify-answer").textContent = wanted
      ? "You will be notified, as long as this page is open."
      : "This browser does not allow this page to notify you.";
    refresh();
  };

  document.addEventListener("DOMContentLoaded", () => {
    refresh();
    const button = document.getElementById("notify-button");
    if (button) button.addEventListener("click", ask);
  });
  document.addEventListener("htmx:afterSettle", refresh);
})();
