// What the instructions of builds cost: the last build on a time line, and the table.

const OUTCOMES = {base: "runtime", ran: "system", failed: "wasted", canceled: "metadata"};

function profileSection(data) {
  const known = (bytes) => bytes < 0 ? "–" : size(bytes);
  const timed = data.steps.filter((step) => step.start >= 0 && step.seconds > 0);
  const box = el("section", {}, ...noted(data.told),
    el("div", {class: "tiles"},
      tile(duration(data.seconds), t("the build took")),
      tile(duration(data.spent), t("of work")),
      tile(String(data.steps.filter((step) => step.outcome === "ran").length), t("instructions ran")),
      tile(String(data.builds), t("builds looked at"))));
  if (timed.length) {
    const label = (step) => short(`${step.line ? `${step.line}: ` : ""}${step.title}`, 48);
    const rows = timed.map((step, at) => `${at}`);
    box.append(el("h3", {}, t("Time line of the build")), chart("", t("Time line of the build; the table below has the same figures"), () => ({
      data: [{
        type: "bar", orientation: "h", y: rows, x: timed.map((step) => step.seconds), base: timed.map((step) => step.start),
        marker: {color: timed.map((step) => colour(OUTCOMES[step.outcome] ?? "nobody"))}, hoverinfo: "text",
        hovertext: timed.map((step) => `<b>${literal(short(step.title, 120))}</b><br>${t("from {} to {}", duration(step.start), duration(step.start + step.seconds))}<br>${step.base ? t("the base image") : t(step.outcome)}`),
        text: timed.map((step) => duration(step.seconds)), textposition: "auto", cliponaxis: false,
      }],
      layout: {
        height: Math.min(1200, 70 + 28 * timed.length), margin: {t: 8, l: 20, r: 40, b: 34}, bargap: 0.25,
        xaxis: {ticksuffix: t("{} s", ""), rangemode: "tozero"},
        yaxis: {autorange: "reversed", type: "category", tickvals: rows, ticktext: timed.map((step) => literal(label(step)))},
      },
    })));
  } else box.append(el("p", {class: "faint"}, t("Nothing ran that took time, or it was not written down when it began.")));
  box.append(el("h3", {}, t("Instructions")), table([
    {title: t("Line"), number: true, by: (step) => -step.line, cell: (step) => step.line || ""},
    {title: t("Instruction"), text: true, cell: (step) => el("span", {}, el("code", {}, step.title), step.label ? el("span", {class: "faint"}, ` · ${step.label}`) : "")},
    {title: t("Outcome"), cell: (step) => step.base ? "" : t(step.outcome)},
    {title: t("This time"), number: true, by: (step) => step.seconds, cell: (step) => step.seconds ? duration(step.seconds) : ""},
    {title: t("Usually"), number: true, by: (step) => step.usual, cell: (step) => step.usual ? duration(step.usual) : ""},
    {title: t("In all builds"), number: true, by: (step) => step.total, cell: (step) => step.total ? duration(step.total) : ""},
    {title: t("Ran"), number: true, by: (step) => step.ran, cell: (step) => step.times ? t("{} of {}", step.ran, step.times) : ""},
    {title: t("Added"), number: true, by: (step) => step.added, cell: (step) => known(step.added)},
    {title: t("Wasted"), number: true, by: (step) => step.wasted, cell: (step) => step.base ? "" : known(step.wasted), tone: (step) => step.wasted > 0 ? "bad" : ""},
    {title: t("Hides"), number: true, by: (step) => step.hides, cell: (step) => step.base || !step.hides ? "" : known(step.hides)},
    {title: t("Why it ran"), text: true, cell: (step) => folded(said(step, "because"))},
  ], data.steps, {most: 60, id: "profile"}));
  return box;
}

/** Lines of which the first can be seen, the others behind it. */
function folded(text) {
  const at = text.indexOf("\n"), long = 160;
  if (at < 0 && text.length <= long) return text;
  const first = short(at < 0 ? text : text.slice(0, at), long);
  return el("details", {}, el("summary", {}, first), el("div", {class: "lined"}, text.startsWith(`${first}\n`) ? text.slice(at + 1) : text));
}
