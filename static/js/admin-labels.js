// Names for the fields that the stock admin leaves without one: cells of tabular inlines, and the boxes of select2.
(() => {
  "use strict";
  const words = (element) => (element ? element.textContent.replace(/\s+/g, " ").replace(/[:?]\s*$/, "").trim() : "");

  function column(field) {
    const cell = field.closest("td");
    const heads = field.closest("table")?.tHead?.rows[0];
    return cell && heads ? words(heads.cells[cell.cellIndex]) : "";
  }

  function name(field) {
    const label = field.id && document.querySelector(`label[for="${CSS.escape(field.id)}"]`);
    return words(label) || column(field);
  }

  // The first head of a tabular inline stands over the names of its rows, and is empty.
  function nameHeads() {
    document.querySelectorAll("th.original:empty").forEach((head) => {
      head.append(Object.assign(document.createElement("span"), { className: "visually-hidden", textContent: "record" }));
    });
  }

  function nameAll() {
    nameHeads();
    document.querySelectorAll(".tabular td :is(input, select, textarea):not([type=hidden])").forEach((field) => {
      if (!field.labels?.length && !field.getAttribute("aria-label")) field.setAttribute("aria-label", name(field));
    });
    document.querySelectorAll("select.admin-autocomplete + .select2").forEach((box) => {
      box.querySelectorAll("[role=combobox], [role=textbox], input").forEach((part) => {
        part.removeAttribute("aria-labelledby");
        part.setAttribute("aria-label", name(box.previousElementSibling));
      });
      box.querySelectorAll("ul").forEach((list) => list.setAttribute("role", "presentation"));
    });
  }

  document.addEventListener("formset:added", () => setTimeout(nameAll));
  // jQuery runs its callbacks in the order they were given, so the boxes of select2 are there by then.
  if (window.django?.jQuery) window.django.jQuery(nameAll);
})();
