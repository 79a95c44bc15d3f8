// A scan: what to do, and what was found, to be sorted and searched.

const SEVERITIES = ["critical", "high", "medium", "low", "unknown"];
const TONES = {critical: "error", high: "error", medium: "warning", low: "style", unknown: "style"};
const OF = {vulnerability: "vulnerability", "end-of-life": "end of life", secret: "secret", misconfiguration: "setting", licence: "licence"};

function scanSection(data, state) {
  state.severities ??= Object.fromEntries(SEVERITIES.map((severity) => [severity, true]));
  state.of ??= "";
  state.sought ??= "";
  const counting = data.findings.filter((found) => !found.ignored), ignored = data.findings.filter((found) => found.ignored);
  const kinds = [...new Set(counting.map((found) => found.of))];
  const box = el("div", {}), status = el("span", {class: "faint", role: "status"});
  const fill = () => {
    const low = state.sought.toLowerCase();
    const shown = counting.filter((found) => state.severities[found.severity] && (!state.of || found.of === state.of)
      && (!low || [found.id, found.package, found.installed, said(found, "title"), said(found, "where")].join(" ").toLowerCase().includes(low)));
    box.replaceChildren(shown.length ? scanTable(shown) : el("p", {}, t("nothing found")));
    status.textContent = t("{} of {} findings", count(shown.length), count(counting.length));
  };
  const bar = el("div", {class: "bar"}, ...SEVERITIES.filter((severity) => data.counts[severity]).map((severity) => el("button", {
    "aria-pressed": String(state.severities[severity]), "data-level": TONES[severity], onclick: (event) => {
      state.severities[severity] = !state.severities[severity];
      event.currentTarget.setAttribute("aria-pressed", String(state.severities[severity]));
      fill();
    },
  }, `${t(severity)} ${count(data.counts[severity])}`)),
  kinds.length > 1 ? el("label", {}, t("Kind"), el("select", {onchange: (event) => { state.of = event.target.value; fill(); }},
    el("option", {value: ""}, t("all")), ...kinds.map((kind) => el("option", {value: kind, selected: state.of === kind}, t(OF[kind]))))) : "",
  el("label", {}, t("Search"), el("input", {type: "search", value: state.sought, placeholder: t("name or text"), oninput: (event) => { state.sought = event.target.value; fill(); }})), status);
  fill();
  return el("section", {}, el("p", {class: "faint"}, [said(data, "about"), data.platform, data.digest].filter(Boolean).join(" · ")),
    ...noted(said(data, "told")),
    el("div", {class: "tiles"}, tile(count(data.components), t("packages")), ...SEVERITIES.map((severity) => data.counts[severity] ? tile(count(data.counts[severity]), t(severity)) : ""),
      data.exploited ? tile(count(data.exploited), t("known to be exploited")) : ""),
    data.remedies.length ? el("h3", {}, t("What to do")) : "",
    data.remedies.length ? table([
      {title: t("Order"), text: true, cell: (remedy) => remedy.none ? said(remedy, "order") : el("span", {class: "mono"}, said(remedy, "order"))},
      {title: t("What it does"), text: true, cell: (remedy) => said(remedy, "effect")},
    ], data.remedies) : "",
    el("h3", {}, t("What was found")), counting.length ? bar : "", box,
    data.more ? el("p", {class: "faint"}, t("{} more", count(data.more))) : "",
    ignored.length ? el("details", {}, el("summary", {}, t("{} that do not count", count(ignored.length))), table([
      {title: t("Name"), cell: (found) => found.id},
      {title: t("Package"), text: true, cell: (found) => found.package || said(found, "where")},
      {title: t("Why"), text: true, cell: (found) => found.ignored},
    ], ignored, {most: 100})) : "",
    data.data.length ? el("details", {}, el("summary", {}, t("Data that was asked")), table([
      {title: t("Name"), cell: (set) => set.name}, {title: t("Date"), cell: (set) => set.date || "?"},
    ], data.data, {most: 50})) : "");
}

function scanTable(rows) {
  return table([
    {title: t("Severity"), cell: (found) => el("span", {class: `badge ${TONES[found.severity]}`}, t(found.severity)), by: (found) => -SEVERITIES.indexOf(found.severity)},
    {title: t("Name"), cell: (found) => found.url ? el("a", {href: found.url, rel: "noreferrer"}, found.id) : found.id},
    {title: t("Urgency"), cell: (found) => said(found, "urgency"), tone: (found) => found.exploited ? "bad" : ""},
    {title: t("Package"), cell: (found) => found.package ? `${found.package} ${found.installed}` : t(OF[found.of])},
    {title: t("Mended in"), cell: (found) => said(found, "fixed")},
    {title: t("Where"), cell: (found) => said(found, "where")},
    {title: t("What"), text: true, cell: (found) => said(found, "title")},
  ], rows, {most: 100});
}
