"use strict";
// Reloads the page when the outcome changes. Without scripts, the page reloads every few seconds instead.
(() => {
  const outcome = document.getElementById("outcome");
  if (!outcome || !outcome.dataset.poll) return;
  const started = Date.now();
  const check = async () => {
    try {
      const answer = await fetch(outcome.dataset.poll, { cache: "no-store", credentials: "same-origin" });
      if (answer.ok && (await answer.json()).outcome !== outcome.dataset.outcome) {
        location.reload();
        return;
      }
    } catch {
      // The network failed for a moment: try again.
    }
    const age = Date.now() - started;
    if (age < 15 * 60 * 1000) setTimeout(check, age < 30 * 1000 ? 700 : 5000);
  };
  setTimeout(check, 400);
})();
