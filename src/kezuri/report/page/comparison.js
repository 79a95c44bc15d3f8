// Before and after: the table of figures, each with its runs, and what is left of each as a chart. Numbers are those that
// the command prints.

/** Measured seconds: to thousandths where they are few, minutes and seconds below each other where they are many. */
function measured(seconds) {
  if (seconds < 0.995) return t("{} s", seconds.toFixed(seconds < 0.0995 ? 3 : 2));
  if (seconds < 59.5) return duration(seconds);
  const whole = Math.round(seconds), two = (number) => String(number).padStart(2, "0");
  if (whole < 3600) return t("{} min {} s", Math.floor(whole / 60), two(whole % 60));
  return t("{} h {} min", Math.floor(whole / 3600), two(Math.floor(whole % 3600 / 60)));
}

/** Which part is gone, to a decimal place where that says something; what became many times as much, as that. */
function gone(part) {
  if (part < MANIFOLD) return `×${count(Math.round(1 - part))}`;
  const hundredths = 100 * part, far = Math.abs(hundredths);
  const text = hundredths.toFixed(far < 9.95 || (far >= 98.95 && far < 99.95) ? 1 : 0).replace(/\.0$/, "");
  return Number(text) ? `${text}%` : "0%";
}

const MANIFOLD = -9;

function comparisonSection(data) {
  const reading = (figure, value) => {
    if (figure.unit === "bytes") return size(value);
    if (figure.unit === "seconds") return measured(value);
    return count(value);
  };
  const side = (figure, which) => {
    const told = figure[which];
    if (told.absent) return el("span", {class: "faint", title: said(told, "absent")}, "–");
    if (told.median === undefined) return told.text ?? "";
    const spread = told.runs.length > 1 ? t("{} runs, {} to {}", told.runs.length, reading(figure, Math.min(...told.runs)), reading(figure, Math.max(...told.runs))) : "";
    return el("span", {}, told.text ? `${told.text} ` : "", reading(figure, told.median), spread ? el("div", {class: "faint"}, spread) : "");
  };
  const saved = (figure) => figure.saved === null ? "" : gone(figure.saved);
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
        text: drawn.map((figure) => `${reading(figure, figure.before.median)} → ${reading(figure, figure.after.median)}`), textposition: drawn.map((figure) => figure.saved > 0.5 ? "outside" : "inside"),
        hoverinfo: "none", cliponaxis: false,
      }],
      layout: {
        height: 80 + 30 * drawn.length, margin: {t: 8, l: 30, r: 30, b: 30}, bargap: 0.3, xaxis: {ticksuffix: "%", rangemode: "tozero"},
        yaxis: {autorange: "reversed", type: "category"},
        shapes: [{type: "line", x0: 100, x1: 100, y0: 0, y1: 1, yref: "paper", line: {color: colour("faint"), dash: "dot", width: 1}}],
      },
    })));
  }
  return box;
}
