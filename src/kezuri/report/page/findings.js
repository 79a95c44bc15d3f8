// Findings of check with the lines that they are about.

const LEVELS = ["error", "warning", "info", "style", "ignore"];

function findingsSection(data, state) {
  const every = data.sheets.flatMap((sheet) => sheet.told);
  const counts = LEVELS.map((level) => every.filter((told) => told.level === level).length);
  state.levels ??= Object.fromEntries(LEVELS.map((level) => [level, true]));
  state.sought ??= "";
  const sheets = el("div", {}), status = el("span", {class: "faint", role: "status"});
  const fill = () => {
    const low = state.sought.toLowerCase();
    const fits = (told) => state.levels[told.level] && (!low || [told.rule, ...told.aliases, told.message, told.message_ja, told.hint].join(" ").toLowerCase().includes(low));
    let shown = 0;
    sheets.replaceChildren(...data.sheets.map((sheet) => {
      const found = sheet.told.filter(fits);
      shown += found.length;
      return found.length || !sheet.told.length ? sheetBox(sheet, found) : null;
    }).filter(Boolean));
    status.textContent = t("{} of {} findings", count(shown), count(every.length));
  };
  const bar = el("div", {class: "bar"}, ...LEVELS.map((level, at) => counts[at] ? el("button", {
    "aria-pressed": String(state.levels[level]), "data-level": level, onclick: (event) => {
      state.levels[level] = !state.levels[level];
      event.currentTarget.setAttribute("aria-pressed", String(state.levels[level]));
      fill();
    },
  }, `${t(level)} ${counts[at]}`) : ""),
  el("label", {}, t("Search"), el("input", {type: "search", value: state.sought, placeholder: t("rule or text"), oninput: (event) => { state.sought = event.target.value; fill(); }})), status);
  fill();
  return el("section", {}, ...noted(data.told),
    el("div", {class: "tiles"}, tile(String(data.sheets.length), t("files checked")), ...LEVELS.map((level, at) => counts[at] ? tile(String(counts[at]), t(level)) : "")),
    every.length ? bar : el("p", {}, t("nothing found")), sheets);
}

function sheetBox(sheet, found) {
  const box = el("div", {class: "sheet"}, el("h3", {class: "mono"}, sheet.name));
  if (!found.length) box.append(el("div", {class: "finding"}, t("nothing found")));
  const here = found.filter((told) => told.span && !told.elsewhere), others = found.filter((told) => !told.span || told.elsewhere);
  if (here.length) box.append(listing(sheet, here));
  for (const told of others) box.append(findingBox(told));
  return box;
}

const AROUND = 2;

/** The lines of a file, each finding below the last line that it is about; long stretches without one are folded. */
function listing(sheet, found) {
  const wanted = new Set();
  for (const told of found) {
    for (let line = told.span[0] - AROUND; line <= lastLine(told) + AROUND; line += 1) wanted.add(line);
  }
  const box = el("div", {class: "lines mono", tabindex: "0", role: "region", "aria-label": t("Lines of {}", sheet.name)});
  let folded = [];
  const unfold = () => {
    if (folded.length > 2) {
      const rest = folded;
      const gap = el("div", {class: "gap"}, el("button", {onclick: () => gap.replaceWith(...rest)}, t("⋯ {} lines", rest.length)));
      box.append(gap);
    } else box.append(...folded);
    folded = [];
  };
  sheet.lines.forEach((text, at) => {
    const number = at + 1, marks = found.filter((told) => told.span[0] <= number && number <= lastLine(told));
    const line = lineBox(number, text, marks.map((told) => told.span));
    if (!wanted.has(number)) { folded.push(line); return; }
    unfold();
    box.append(line, ...found.filter((told) => Math.min(lastLine(told), sheet.lines.length) === number).map(findingBox));
  });
  unfold();
  return box;
}

/** The last line of a finding: one that ends where a line begins does not reach into it. */
const lastLine = (told) => Math.max(told.span[0], told.span[2] - (told.span[3] === 1 ? 1 : 0));

/** A line with its number; what the spans have of it is underlined. */
function lineBox(number, text, spans) {
  const chars = [...text], marked = new Array(chars.length).fill(false);
  for (const [line, column, last, end] of spans) marked.fill(true, number === line ? column - 1 : 0, number === last ? end - 1 : chars.length);
  const parts = [];
  for (let at = 0; at < chars.length;) {
    let end = at;
    while (end < chars.length && marked[end] === marked[at]) end += 1;
    const piece = chars.slice(at, end).join("");
    parts.push(marked[at] && piece.trim() ? el("u", {}, piece) : piece);
    at = end;
  }
  return el("div", {class: `line${spans.length ? " marked" : ""}`}, el("b", {"aria-hidden": "true"}, String(number)), ...parts);
}

function findingBox(told) {
  const rule = told.url && /^https:\/\//.test(told.url) ? el("a", {href: told.url, rel: "noreferrer"}, told.rule) : told.rule;
  const where = told.elsewhere ? `${told.elsewhere}${told.line ? `:${told.line}` : ""} · ` : told.line ? `${t("line {}", told.line)} · ` : "";
  return el("div", {class: `finding ${told.level}`},
    el("p", {}, el("span", {class: `badge ${told.level}`}, t(told.level)), " ", el("b", {}, said(told, "message"))),
    told.hint ? el("p", {}, said(told, "hint")) : "",
    el("p", {class: "faint"}, where, rule, told.aliases.length ? ` (${told.aliases.join(", ")})` : "",
      told.fix ? ` · ${t("a fix is known")}: ${said(told, "fix")}` : ""));
}
