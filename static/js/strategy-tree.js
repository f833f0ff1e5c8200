// The tree of strategies: arrow keys press the buttons of a row, and a row can be dragged. Without this file the buttons do all.
(() => {
  "use strict";
  const KEYS = { ArrowUp: "up", ArrowDown: "down", ArrowRight: "in", ArrowLeft: "out" };
  const SHAPES = ["drop-before", "drop-below", "drop-after"];

  function send(form, fields) {
    const sent = document.createElement("form");
    sent.method = "post";
    sent.action = document.querySelector(".move").formAction;
    const token = form.querySelector("input[name=csrfmiddlewaretoken]").value;
    Object.entries({ ...fields, csrfmiddlewaretoken: token }).forEach(([name, value]) => {
      sent.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    });
    document.body.append(sent);
    sent.submit();
  }

  const place = (event, row) => {
    const box = row.getBoundingClientRect();
    const share = (event.clientY - box.top) / box.height;
    return share < 0.3 ? "before" : share > 0.7 ? "after" : "below";
  };
  const clear = (rows) => rows.forEach((row) => row.classList.remove(...SHAPES));

  function drag(rows, form) {
    let held = null;
    rows.forEach((row) => {
      const moves = row.querySelector(".moves");
      const handle = Object.assign(document.createElement("span"), { className: "drag", textContent: "⠿", draggable: true, title: "Drag to another place" });
      handle.setAttribute("aria-hidden", "true");
      moves.append(handle);
      handle.addEventListener("dragstart", (event) => {
        held = row;
        row.classList.add("dragged");
        event.dataTransfer.effectAllowed = "move";
        event.dataTransfer.setData("text/plain", moves.dataset.node);
        event.dataTransfer.setDragImage(row, 0, 0);
      });
      handle.addEventListener("dragend", () => { held?.classList.remove("dragged"); held = null; clear(rows); });
      row.addEventListener("dragover", (event) => {
        if (!held || held === row) return;
        event.preventDefault();
        clear(rows);
        row.classList.add(`drop-${place(event, row)}`);
      });
      row.addEventListener("drop", (event) => {
        if (!held || held === row) return;
        event.preventDefault();
        send(form, { move: `${held.querySelector(".moves").dataset.node}:${place(event, row)}`, other: moves.dataset.node });
      });
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("changelist-form");
    const rows = [...document.querySelectorAll("#result_list tbody tr")].filter((row) => row.querySelector(".moves"));
    if (!form || !rows.length) return;
    drag(rows, form);
    document.querySelectorAll(".moves").forEach((moves) => moves.addEventListener("keydown", (event) => {
      const step = KEYS[event.key];
      if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      moves.querySelector(`[value$=":${step}"]`)?.click();
    }));
    // After a move the page comes back with the address of the button that was pressed.
    if (location.hash.startsWith("#move-")) document.getElementById(location.hash.slice(1))?.focus();
  });
})();
