// While a citation is typed, "[@" offers the keys: arrows choose, Enter or Tab writes one, Escape closes.
(() => {
  "use strict";
  const OPEN = /\[@(?:[\w:.+-]+\s*[;,]\s*@)*([\w:.+-]*)$/;
  const PAUSE = 150;

  // Where the caret stands, found with a copy of the field that wraps as it does.
  function caret(field) {
    const style = getComputedStyle(field);
    const mirror = document.createElement("div");
    mirror.className = "cite-mirror";
    ["font", "padding", "border", "boxSizing", "letterSpacing", "tabSize"].forEach((name) => { mirror.style[name] = style[name]; });
    mirror.style.width = `${field.offsetWidth}px`;
    mirror.textContent = field.value.slice(0, field.selectionStart);
    const end = mirror.appendChild(document.createElement("span"));
    end.textContent = "|";
    field.parentElement.append(mirror);
    const at = { left: end.offsetLeft, top: end.offsetTop + end.offsetHeight - field.scrollTop };
    mirror.remove();
    return at;
  }

  function complete(field, address) {
    const list = document.createElement("ul");
    list.id = `${field.id}-cites`;
    list.className = "cite-list";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Publications to cite");
    const said = document.createElement("p");
    said.className = "visually-hidden";
    said.setAttribute("role", "status");
    field.after(list, said);
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-haspopup", "listbox");
    field.setAttribute("aria-controls", list.id);
    let timer, number = 0, at = -1;

    const begun = () => (field.selectionStart === field.selectionEnd ? OPEN.exec(field.value.slice(0, field.selectionStart)) : null);
    function close() {
      number += 1;
      clearTimeout(timer);
      list.hidden = true;
      at = -1;
      field.removeAttribute("aria-activedescendant");
      said.textContent = "";
    }
    function mark(next) {
      const rows = [...list.children];
      at = (next + rows.length) % rows.length;
      rows.forEach((row, index) => row.setAttribute("aria-selected", String(index === at)));
      rows[at].scrollIntoView({ block: "nearest" });
      field.setAttribute("aria-activedescendant", rows[at].id);
    }
    function write(key) {
      const typed = begun();
      if (!typed) return close();
      const from = field.selectionStart - typed[1].length;
      const rest = field.value.slice(field.selectionStart);
      // Through the editing of the browser, so that undo takes it back.
      field.setSelectionRange(from, field.selectionStart);
      const text = /^\s*[\];,]/.test(rest) ? key : `${key}]`;
      if (!document.execCommand("insertText", false, text)) field.setRangeText(text, from, field.selectionEnd, "end");
      close();
      field.dispatchEvent(new Event("input", { bubbles: true }));
      close();
    }
    function show(publications) {
      list.replaceChildren(...publications.map((one, index) => {
        const row = document.createElement("li");
        row.id = `${list.id}-${index}`;
        row.setAttribute("role", "option");
        row.append(Object.assign(document.createElement("code"), { textContent: one.key }), Object.assign(document.createElement("span"), { textContent: `${one.title} (${one.by})` }));
        row.addEventListener("mousedown", (event) => { event.preventDefault(); write(one.key); });
        return row;
      }));
      list.hidden = !publications.length;
      said.textContent = publications.length ? `${publications.length} publications; arrows choose, Enter writes the key` : "No publication has these words";
      if (!publications.length) return;
      const place = caret(field);
      list.style.top = `${Math.min(place.top, field.offsetHeight)}px`;
      list.style.left = `${Math.max(0, Math.min(place.left, field.offsetWidth - list.offsetWidth))}px`;
      mark(0);
    }
    async function ask(words) {
      const mine = ++number;
      try {
        const reply = await fetch(`${address}?q=${encodeURIComponent(words)}`, { headers: { Accept: "application/json" } });
        if (reply.ok && mine === number && begun()) show((await reply.json()).publications);
      } catch {
        close();
      }
    }

    field.addEventListener("input", () => {
      const typed = begun();
      if (!typed) return close();
      clearTimeout(timer);
      timer = setTimeout(() => ask(typed[1]), PAUSE);
    });
    field.addEventListener("keydown", (event) => {
      if (list.hidden) return;
      const steps = { ArrowDown: 1, ArrowUp: -1 };
      if (event.key in steps) mark(at + steps[event.key]);
      else if (event.key === "Enter" || event.key === "Tab") write(list.children[at].querySelector("code").textContent);
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    field.addEventListener("click", close);
    field.addEventListener("blur", close);
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".article-editor").forEach((editor) => complete(editor.querySelector("textarea"), editor.dataset.citations));
  });
})();
