// The one look of every chart. A figure carries its Plotly JSON in a data block; colours are named by the tokens of tokens.css
// ("var(--training)") and looked up here, so that light, dark and print follow the page.
(() => {
  "use strict";
  const token = /^var\((--[\w-]+)\)$/;
  const styles = () => getComputedStyle(document.documentElement);

  function resolved(value, style) {
    if (typeof value === "string") {
      const found = token.exec(value);
      return found ? style.getPropertyValue(found[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((item) => resolved(item, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolved(item, style)]));
    }
    return value;
  }

  function look(style, narrow) {
    const axis = {
      gridcolor: style.getPropertyValue("--rule"), linecolor: style.getPropertyValue("--ink"),
      zerolinecolor: style.getPropertyValue("--edge"), tickcolor: style.getPropertyValue("--edge"),
      ticks: "outside", automargin: true, title: { standoff: 12 },
    };
    return {
      height: 416, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      font: { family: style.getPropertyValue("--sans"), size: narrow ? 12 : 13, color: style.getPropertyValue("--ink-2") },
      hoverlabel: {
        bgcolor: style.getPropertyValue("--paper"), bordercolor: style.getPropertyValue("--ink"),
        font: { color: style.getPropertyValue("--ink"), family: style.getPropertyValue("--sans") },
      },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", xanchor: "left" },
      margin: { l: narrow ? 44 : 64, r: 16, t: 48, b: 56 },
      xaxis: axis, yaxis: axis,
    };
  }

  function merged(under, over) {
    const result = { ...under };
    for (const [key, value] of Object.entries(over)) {
      const both = value && result[key] && typeof value === "object" && typeof result[key] === "object" && !Array.isArray(value);
      result[key] = both ? merged(result[key], value) : value;
    }
    return result;
  }

  function draw(figure) {
    const area = figure.querySelector(".chart-area");
    const data = document.getElementById(figure.dataset.figure);
    if (!area || !data) return;
    const style = styles();
    const spec = resolved(JSON.parse(data.textContent), style);
    const layout = merged(look(style, area.clientWidth < 560), spec.layout || {});
    if (area.clientWidth < 560) {
      // A narrow treemap grows downwards and shows its names as small as they must be.
      const treemap = spec.data.some((trace) => trace.type === "treemap");
      layout.height = treemap ? 640 : Math.min(layout.height || 416, 460);
    }
    Plotly.react(area, spec.data, layout, { responsive: true, displaylogo: false, displayModeBar: false });
    if (spec.data.some((trace) => trace.customdata) && !area.dataset.linked) {
      area.dataset.linked = "yes";
      area.on("plotly_click", follow);
    }
  }

  // A point may carry the address of its own page; only pages of this site are followed.
  function follow(event) {
    const address = event.points[0] && event.points[0].customdata;
    if (typeof address === "string" && /^\/(?![\/\\])/.test(address)) location.assign(address);
  }

  const all = () => document.querySelectorAll("figure.chart[data-figure]").forEach(draw);
  all();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  // A fragment swapped in by htmx may hold a chart of its own.
  document.addEventListener("htmx:afterSettle", all);
})();
