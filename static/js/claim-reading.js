// While a claim is typed: how it will read, what does not agree, and what could be better. The server says all three.
(() => {
  "use strict";
  const PAUSE = 350;
  const token = () => document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
  // Asked for when it is needed: the admin loads its scripts before the page is there.
  const address = () => document.querySelector("form[data-reading]")?.dataset.reading
    ?? document.querySelector("[data-claim-reading]")?.dataset.claimReading;

  // A claim is a row of the sheet, one of the forms in a technique's page, or the page itself.
  const PLACES = "[data-claim], .inline-related:has([name$='-value_low']), #claim_form";
  const prefix = (place) => place.dataset.claim
    ?? (place.querySelector("[name$='value_low']")?.name ?? "").replace(/value_low$/, "");

  function fields(place) {
    const begin = prefix(place);
    const found = new Map();
    place.querySelectorAll("input, select, textarea").forEach((field) => {
      if (field.name.startsWith(begin)) found.set(field.name.slice(begin.length), field);
    });
    return found;
  }

  function show(place, found, answer) {
    const line = place.querySelector("[data-reads]");
    if (line && line.textContent !== answer.reading) line.textContent = answer.reading;
    const warns = place.querySelector("[data-warns]");
    if (warns) warns.replaceChildren(...answer.warnings.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    found.forEach((field, name) => {
      const cell = field.closest(".cell, .fieldBox, .form-row") ?? field.parentElement;
      const old = cell.querySelector(`[data-fault="${name}"]`);
      const reasons = answer.faults[name] ?? [];
      // Nothing typed yet is no fault to shout about; the server refuses it when it is saved.
      const text = field.value === "" ? "" : reasons.join(" ");
      cell.querySelectorAll(".errorlist").forEach((list) => list.remove());
      field.setAttribute("aria-invalid", String(Boolean(text)));
      if (!text) return old?.remove();
      const note = old ?? cell.appendChild(document.createElement("p"));
      note.dataset.fault = name;
      note.className = "fault";
      note.setAttribute("role", "status");
      if (note.textContent !== text) note.textContent = text;
    });
  }

  const waiting = new WeakMap();
  async function ask(place) {
    const found = fields(place);
    const body = new FormData();
    found.forEach((field, name) => body.append(name, field.value));
    const number = (waiting.get(place)?.number ?? 0) + 1;
    waiting.set(place, { number });
    try {
      const reply = await fetch(address(), { method: "POST", body, headers: { "X-CSRFToken": token() } });
      if (reply.ok && waiting.get(place).number === number) show(place, found, await reply.json());
    } catch {
      // Without an answer the page stays as it is; saving checks everything again.
    }
  }

  document.addEventListener("input", (event) => {
    const place = event.target.closest?.(PLACES);
    if (!place || !address() || !/value_low|value_high|metric|kind|qualifier|unit|comparator|workload|hardware|place|source_url|tolerance/.test(event.target.name)) return;
    clearTimeout(place.dataset.timer);
    place.dataset.timer = setTimeout(() => ask(place), PAUSE);
  });
})();
