// A key for each button, link or summary that names one in data-key; anything else that names one is led to. Not while
// somebody types, and not with a modifier.
(() => {
  "use strict";
  const typing = (element) => element.closest("input:not([type=radio], [type=checkbox], [type=submit]), textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
    const wanted = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (wanted) {
      event.preventDefault();
      if (wanted.matches("a, button, summary")) wanted.click();
      else wanted.focus();
    }
  });
})();
