// An image taken apart: the figures, the layers, the explorer of its files, and what could go.

const tile = (value, title) => el("div", {class: "tile"}, el("b", {}, value), el("span", {}, title));
const noted = (texts) => texts.map((text) => el("p", {class: "told"}, text));

function anatomySection(data, state) {
  state.files ??= new Files(data.tree, data.tree.owners, data.tree.leftovers);
  const explorer = new Explorer(data, state.files, state);
  const sum = (name) => data.layers.reduce((total, layer) => total + layer[name], 0);
  const tar = sum("tar"), wasted = sum("wasted"), blob = sum("blob");
  const goTo = (filter) => {
    explorer.state.zoom = [];
    explorer.search.value = filter.sought ?? "";
    explorer.filter({...NO_FILTER, ...filter});
    explorer.box.scrollIntoView({block: "start"});
    explorer.tree.box.focus({preventScroll: true});
  };
  const link = (title, filter) => el("button", {class: "link", onclick: () => goTo(filter)}, title);
  const layerLink = (number, filter = {view: "all"}) => link(String(number + 1), {...filter, layer: number});
  const named = (name) => data.side === "After" ? `${name}-after` : name;
  const pathLink = (path, view = "all") => path ? el("button", {class: "link mono", onclick: () => goTo({view, sought: `/^${pattern(`/${path}`)}$/`})}, path) : "";

  const box = el("section", {},
    el("p", {class: "faint"}, [data.platform, data.digest].filter(Boolean).join(" · ")),
    ...noted(said(data, "told")),
    el("div", {class: "tiles"},
      blob ? tile(size(blob), t("on the wire")) : "",
      tile(size(tar), t("unpacked")),
      tile(size(sum("useful")), t("useful")),
      tile(size(wasted), t("wasted ({})", percent(tar ? wasted / tar : 0))),
      tile(size(data.leftover), t("known leftovers")),
      tile(size(data.regained), t("duplicates")),
      tile(count(data.files), t("files")),
      tile(String(data.layers.length), t("layers"))),
    el("h3", {}, t("Layers")));
  if (data.layers.length) box.append(layersChart(data, (number) => goTo({view: "all", layer: number})), layersTable(data, layerLink));
  box.append(el("h3", {}, t("Files")), explorer.box);

  if (data.advice.length) {
    const what = (each) => each.kind === "leftover" ? said(data.kinds[each.what] ?? {words: each.what}, "words") : t(GOING[each.kind]);
    const filter = (each) => each.kind === "leftover" ? {leftover: data.tree.leftovers.indexOf(each.what), layer: each.layer}
      : {view: "wasted", layer: each.layer};
    box.append(el("h3", {}, t("What could go")), table([
      {title: t("Size"), number: true, cell: (each) => size(each.size)},
      {title: t("What"), cell: (each) => each.kind === "duplicate" || each.kind === "superseded" ? what(each) : link(what(each), filter(each))},
      {title: t("Files"), number: true, cell: (each) => count(each.files)},
      {title: t("Layer"), number: true, cell: (each) => each.layer < 0 ? "" : layerLink(each.layer)},
      {title: t("Instruction"), text: true, cell: (each) => each.by < 0 ? "" : el("span", {}, ...made(data.layers[each.by]))},
      {title: t("How"), text: true, cell: (each) => el("div", {}, said(each, "hint"), each.rule ? el("span", {class: "faint"}, ` · ${each.rule}`) : "",
        !each.of_base && data.kinds[each.what]?.mending ? el("div", {}, el("code", {}, data.kinds[each.what].mending)) : "")},
    ], data.advice, {id: named("advice")}));
  }
  if (data.waste.length) {
    box.append(el("h3", {}, t("Wasted bytes")), table([
      {title: t("Size"), number: true, cell: (each) => size(each.size)},
      {title: t("What became of them"), cell: (each) => t(FATE_TITLES[each.fate])},
      {title: t("Layer"), number: true, cell: (each) => layerLink(each.layer, {view: "wasted"})},
      {title: t("By layer"), number: true, cell: (each) => layerLink(each.by)},
      {title: t("Files"), number: true, cell: (each) => count(each.files)},
      {title: t("Instruction that hides them"), text: true, cell: (each) => el("span", {}, ...made(data.layers[each.by]))},
      {title: t("Largest"), text: true, cell: (each) => pathLink(each.largest[0]?.[1], "wasted")},
    ], data.waste, {caption: t("bytes in layers that the image does not show")}));
  }
  if (data.duplicates.length) {
    box.append(el("h3", {}, t("Duplicates")), table([
      {title: t("To be regained"), number: true, cell: (each) => size(each.size * (each.copies - 1))},
      {title: t("Copies"), number: true, cell: (each) => count(each.copies)},
      {title: t("Size"), number: true, cell: (each) => size(each.size)},
      {title: t("Paths"), text: true, cell: (each) => several(each.paths.map((path) => el("div", {}, pathLink(path, "image"))), each.copies)},
    ], data.duplicates, {caption: t("the same content at several paths"), most: 10}));
  }
  box.append(el("h3", {}, t("Owners")), table([
    {title: t("Size"), number: true, by: (each) => each.size, cell: (each) => size(each.size)},
    {title: t("Share"), cell: (each) => meter(sum("useful") ? each.size / sum("useful") : 0)},
    {title: t("Owner"), text: true, cell: (each) => link(ownerName(data.tree.owners[each.number]), {owner: each.number})},
    {title: t("Kind"), cell: (each) => ownerGroup(groupOfOwner(data.tree.owners[each.number]))},
    {title: t("Files"), number: true, by: (each) => each.files, cell: (each) => count(each.files)},
    {title: t("Wasted"), number: true, by: (each) => each.wasted, cell: (each) => each.wasted ? size(each.wasted) : ""},
  ], data.owners));
  box.append(el("h3", {}, t("Largest files")), table([
    {title: t("Size"), number: true, cell: (each) => size(each[0])},
    {title: t("Path"), text: true, cell: (each) => pathLink(each[1], "image")},
  ], data.largest));
  state.explorer = explorer;
  return box;
}

const FATE_TITLES = {removed: "removed by a later layer", replaced: "replaced by a later layer", rewritten: "written again, the same bytes", superseded: "twice in one layer"};
/** The first of several things, the others behind a button; `all` is how many there are, known or not. */
function several([first, ...rest], all) {
  if (!rest.length) return first;
  const more = t("{} more", count(all - 1)), known = all - 1 > rest.length ? t("{}, some of them", more) : more;
  return el("details", {}, el("summary", {}, first, el("span", {class: "faint"}, ` ${known}`)), ...rest);
}

const GOING = {removed: "removed files", replaced: "replaced files", rewritten: "files written again", superseded: "files twice in one layer", duplicate: "the same content at several paths"};
const pattern = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

function layersChart(data, chosen) {
  let listening = false;
  const parts = [["useful", "useful", "system"], ["wasted", "wasted", "wasted"], ["metadata", "headers and padding", "metadata"]];
  const label = t("Layers of {}: the table below has the same figures", data.name);
  const names = data.layers.map((layer) => `${layer.number + 1}`);
  return chart("", label, () => ({
    data: parts.map(([name, title, tint]) => ({
      type: "bar", orientation: "h", name: t(title), y: names, x: data.layers.map((layer) => layer[name]),
      marker: {color: colour(tint)}, hoverinfo: "text",
      hovertext: data.layers.map((layer) => `<b>${literal(short(layer.text, 100))}</b><br>${t(title)}: ${size(layer[name])}`),
    })),
    layout: {
      barmode: "stack", bargap: 0.25, height: Math.min(900, 90 + 22 * data.layers.length), margin: {t: 8, l: 30, r: 12, b: 30},
      xaxis: {...bytesAxis(Math.max(1, ...data.layers.map((layer) => layer.tar)))},
      yaxis: {autorange: "reversed", type: "category"},
      legend: {orientation: "h", traceorder: "normal", y: 1.02, yanchor: "bottom", x: 0},
    },
  }), (box) => {
    if (listening) return;
    listening = true;
    box.on("plotly_click", (event) => chosen(Number(event.points[0].y) - 1));
  });
}

/** An axis of bytes with round ticks. */
function bytesAxis(most) {
  const rough = most / 5, unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * unit).find((each) => each >= rough);
  const ticks = [];
  for (let at = 0; at <= most * 1.02; at += step) ticks.push(at);
  return {tickvals: ticks, ticktext: ticks.map(size)};
}

function layersTable(data, layerLink) {
  return table([
    {title: t("Layer"), number: true, by: (layer) => -layer.number, cell: (layer) => layerLink(layer.number)},
    {title: t("On the wire"), number: true, by: (layer) => layer.blob, cell: (layer) => layer.blob ? size(layer.blob) : "–"},
    {title: t("Unpacked"), number: true, by: (layer) => layer.tar, cell: (layer) => size(layer.tar)},
    {title: t("Useful"), number: true, by: (layer) => layer.useful, cell: (layer) => size(layer.useful)},
    {title: t("Wasted"), number: true, by: (layer) => layer.wasted, cell: (layer) => layer.wasted ? size(layer.wasted) : "", tone: (layer) => layer.wasted ? "bad" : ""},
    {title: t("Files"), number: true, by: (layer) => layer.files, cell: (layer) => count(layer.files)},
    {title: t("Instruction"), text: true, cell: (layer) => el("span", {}, ...made(layer), layer.unread ? el("div", {class: "bad"}, t("not read: {}", said(layer, "unread"))) : "")},
  ], data.layers, {most: 40, id: data.side === "After" ? "layers-after" : "layers"});
}
