"use strict";
// The page works without this: a reload every few seconds. With it, the page reloads only when there is news.
(() => {
  const place = document.getElementById("outcome");
  if (!place || !place.dataset.poll) return;
  const begun = Date.now();
  const look = async () => {
    try {
      const answer = await fetch(place.dataset.poll, { cache: "no-store", credentials: "same-origin" });
      if (answer.ok && (await answer.json()).outcome !== place.dataset.outcome) {
        location.reload();
        return;
      }
    } catch {
      // The network is away for a moment: look again.
    }
    const age = Date.now() - begun;
    if (age < 15 * 60 * 1000) setTimeout(look, age < 30 * 1000 ? 700 : 5000);
  };
  setTimeout(look, 400);
})();
