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
  for (const told of found) {
    if (told.excerpt.length) box.append(excerpt(told));
    box.append(findingBox(told));
  }
  return box;
}

/** The lines around a finding; what is meant is underlined. */
function excerpt(told) {
  return el("div", {class: "lines mono", tabindex: "0", role: "region", "aria-label": t("Lines of the file")}, ...told.excerpt.map(([number, text]) => {
    const [line, column, last, end] = told.span ?? [0, 0, 0, 0];
    const marked = number >= line && number <= last;
    const first = number === line ? column - 1 : 0, behind = number === last ? end - 1 : text.length;
    const chars = [...text], join = (from, to) => chars.slice(from, to).join("");
    return el("div", {class: marked ? "marked" : null}, el("b", {"aria-hidden": "true"}, String(number)),
      ...marked ? [join(0, first), el("u", {}, join(first, behind)), join(behind)] : [text]);
  }));
}

function findingBox(told) {
  const ja = settings.language === "ja";
  const rule = told.url && /^https:\/\//.test(told.url) ? el("a", {href: told.url, rel: "noreferrer"}, told.rule) : told.rule;
  return el("div", {class: `finding ${told.level}`},
    el("p", {}, el("span", {class: `badge ${told.level}`}, t(told.level)), " ", el("b", {}, ja ? told.message_ja ?? told.message : told.message)),
    told.hint ? el("p", {}, ja ? told.hint_ja ?? told.hint : told.hint) : "",
    el("p", {class: "faint"}, told.line ? `${t("line {}", told.line)} · ` : "", rule, told.aliases.length ? ` (${told.aliases.join(", ")})` : "",
      told.fix ? ` · ${t("a fix is known")}: ${ja ? told.fix_ja ?? told.fix : told.fix}` : ""));
}
