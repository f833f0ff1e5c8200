// The preview beside an article: drawn by the server a moment after the typing stops, in the styles of the site.
(() => {
  "use strict";
  const PAUSE = 400;

  function pane(shown) {
    const root = shown.attachShadow({ mode: "open" });
    const base = document.querySelector("link[href*='css/tokens']").href;
    ["site", "article-preview"].forEach((name) => {
      const known = document.querySelector(`link[href*='css/${name}']`);
      const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: known?.href ?? base.replace("tokens", name) });
      root.append(link);
    });
    return root.appendChild(document.createElement("div"));
  }

  function lines(list, field, faults) {
    list.replaceChildren(...faults.map((fault) => {
      const row = document.createElement("li");
      const go = Object.assign(document.createElement("button"), { type: "button", textContent: `Line ${fault.line}` });
      go.addEventListener("click", () => {
        const before = field.value.split("\n").slice(0, fault.line - 1).join("\n").length + (fault.line > 1 ? 1 : 0);
        field.focus();
        field.setSelectionRange(before, before + field.value.split("\n")[fault.line - 1].length);
      });
      row.append(go, `: ${fault.text}`);
      return row;
    }));
  }

  function edit(editor) {
    const field = editor.querySelector("textarea");
    const shown = editor.querySelector(".article-shown");
    const list = editor.querySelector(".article-faults");
    const form = field.form;
    const body = pane(shown);
    let timer, number = 0;
    shown.hidden = false;
    editor.classList.add("live");

    async function draw() {
      const mine = ++number;
      const sent = new FormData();
      sent.append("article", field.value);
      sent.append("slug", form.elements.preview_of?.value ?? form.elements.slug?.value ?? "");
      sent.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
      shown.classList.add("stale");
      try {
        const reply = await fetch(editor.dataset.preview, { method: "POST", body: sent, headers: { Accept: "application/json" } });
        if (!reply.ok || mine !== number) return;
        const answer = await reply.json();
        const top = shown.scrollTop;
        body.innerHTML = answer.html;
        shown.scrollTop = top;
        lines(list, field, answer.faults);
        shown.classList.remove("stale");
      } catch {
        // The preview stays as it was, and pale, until the server answers again.
      }
    }
    field.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(draw, PAUSE);
    });
    draw();
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".article-editor").forEach(edit));
})();
