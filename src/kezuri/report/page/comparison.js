// Before and after: the table of figures, each with its runs, and what is left of each as a chart.

function comparisonSection(data) {
  const reading = (figure, value) => {
    if (figure.unit === "bytes") return size(value);
    if (figure.unit === "seconds") return duration(value);
    return count(value);
  };
  const side = (figure, which) => {
    const told = figure[which];
    if (told.absent) return el("span", {class: "faint", title: said(told, "absent")}, "–");
    if (told.median === undefined) return told.text ?? "";
    const spread = told.runs.length > 1 ? t("{} runs, {} to {}", told.runs.length, reading(figure, Math.min(...told.runs)), reading(figure, Math.max(...told.runs))) : "";
    return el("span", {}, told.text ? `${told.text} ` : "", reading(figure, told.median), spread ? el("div", {class: "faint"}, spread) : "");
  };
  const saved = (figure) => figure.saved === null ? "" : figure.saved >= 0.9995 && figure.after.median ? `> ${percent(0.999)}` : percent(figure.saved);
  const name = (figure) => el("span", {title: said(figure, "how")}, said(figure, "title"));
  const drawn = data.figures.filter((figure) => figure.saved !== null && figure.before.median > 0);
  const named = (which) => data[which].name;
  const conditions = data.conditions, terms = [];
  if (conditions.runs > 1) terms.push(t("{} runs", conditions.runs));
  if (conditions.registry) terms.push(t("pulled from {}", conditions.registry));
  if (conditions.bandwidth) terms.push(t("{} Mbit/s", count(conditions.bandwidth / 1e6)));
  if (conditions.rtt) terms.push(t("{} ms of round trip", count(conditions.rtt * 1000)));
  if (conditions.processors) terms.push(t("{} processors", conditions.processors));
  if (conditions.system) terms.push(conditions.system);
  const box = el("section", {}, el("p", {}, el("b", {}, named("before")), " → ", el("b", {}, named("after"))), ...noted(said(data, "told")),
    table([
      {title: t("Item"), text: true, cell: name},
      {title: t("Before"), number: true, cell: (figure) => side(figure, "before")},
      {title: t("After"), number: true, cell: (figure) => side(figure, "after")},
      {title: t("Saved"), number: true, by: (figure) => figure.saved ?? -Infinity, cell: saved, tone: (figure) => figure.saved > 0 ? "good" : figure.saved < 0 ? "bad" : ""},
      {title: "", cell: (figure) => figure.saved === null ? "" : figure.certain ? "" : el("span", {class: "faint"}, t("within the spread"))},
    ], data.figures, {most: 100, id: "comparison", caption: terms.join(" · ")}));
  if (drawn.length) {
    box.append(el("h3", {}, t("What is left of it")), chart("", t("What is left of each figure; the table above has the same figures"), () => ({
      data: [{
        type: "bar", orientation: "h", y: drawn.map((figure) => literal(said(figure, "title"))), x: drawn.map((figure) => 100 * (1 - figure.saved)),
        marker: {color: drawn.map((figure) => colour(figure.saved >= 0 ? "language" : "wasted"))},
        text: drawn.map((figure) => `${reading(figure, figure.before.median)} → ${reading(figure, figure.after.median)}`), textposition: drawn.map((figure) => figure.saved > 0.75 ? "outside" : "inside"),
        hoverinfo: "none", cliponaxis: false,
      }],
      layout: {
        height: 80 + 30 * drawn.length, margin: {t: 8, l: 30, r: 30, b: 30}, bargap: 0.3, xaxis: {ticksuffix: " %", rangemode: "tozero"},
        yaxis: {autorange: "reversed", type: "category"},
        shapes: [{type: "line", x0: 100, x1: 100, y0: 0, y1: 1, yref: "paper", line: {color: colour("faint"), dash: "dot", width: 1}}],
      },
    })));
  }
  return box;
}
