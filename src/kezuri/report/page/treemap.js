// The treemap: of the node that is looked at, its parts, their parts, and those of the large ones. No more is ever drawn,
// however many files there are; a click looks into a part.

const WIDTHS = [70, 30, 16];
const LEAST = [0, 0.012, 0.06];

/** What plotly is given of a node; `drawn` gets the nodes by their ids. A part has its owner's colour, and what of it is
 * wasted stands in it in that one's; where all is wasted (`lost`), that would say nothing. */
function treemapFigure(node, drawn, lost) {
  const tints = CATEGORIES.map(colour), wasted = colour("wasted"), rest = colour("metadata");
  const tiles = [];
  const tile = (id, above, label, bytes, tint, told, meant, ink = "#ffffff") => {
    tiles.push({id, above, label, bytes, tint, told, ink});
    if (meant) drawn.set(id, meant);
  };
  const share = (bytes) => `${size(bytes)}${node.size ? ` (${percent(bytes / node.size)})` : ""}`;
  const told = (part) => [
    `<b>${literal(short(part.path || part.label, 120))}</b>`, share(part.size), t("{} files", count(part.many)),
    part.lost ? t("{} of it wasted", size(part.lost)) : "",
  ].filter(Boolean).join("<br>");
  const put = (above, level) => {
    const parts = above.parts.filter((part) => part.size > 0), most = WIDTHS[level];
    for (const part of parts.slice(0, most)) {
      const inside = !part.leaf && level + 1 < WIDTHS.length && part.size >= LEAST[level + 1] * node.size;
      const all = part.lost >= part.size;
      tile(part.key, above.key, literal(short(part.label, 60)), part.size, all && !lost ? wasted : tints[part.category], told(part), part);
      if (inside) put(part, level + 1);
      else if (part.lost && !all && !lost) {
        tile(`${part.key}~kept`, part.key, "", part.size - part.lost, tints[part.category], told(part), part);
        tile(`${part.key}~lost`, part.key, t("wasted"), part.lost, wasted, told(part), part);
      }
    }
    const others = parts.slice(most), left = others.reduce((sum, part) => sum + part.size, 0);
    if (left) tile(`${above.key}+`, above.key, t("{} more", count(others.length)), left, rest, share(left), null, "#14181f");
  };
  tile(node.key, "", literal(short(node.label, 80)), node.size, "rgba(0,0,0,0)", told(node), node, colour("ink"));
  put(node, 0);
  const of = (field) => tiles.map((each) => each[field]);
  return {
    data: [{
      type: "treemap", ids: of("id"), labels: of("label"), parents: of("above"), values: of("bytes"), text: of("bytes").map(size),
      branchvalues: "total", textinfo: "label+text", hovertext: of("told"), hoverinfo: "text", sort: true, pathbar: {visible: false},
      tiling: {packing: "squarify", pad: 2}, root: {color: "rgba(0,0,0,0)"},
      marker: {colors: of("tint"), line: {color: colour("ground"), width: 1}, pad: {t: 20, l: 3, r: 3, b: 3}},
      textfont: {color: of("ink")},
    }],
    layout: {margin: {t: 2, l: 2, r: 2, b: 2}},
  };
}

/** The treemap of whatever `current` gives, of which `lost` says whether all of it is wasted; `into` is told which part was chosen. */
function treemap(label, current, lost, into) {
  const drawn = new Map();
  let listening = false;
  return chart("map", label, () => {
    drawn.clear();
    return treemapFigure(current(), drawn, lost());
  }, (box) => {
    if (listening) return;
    listening = true;
    box.on("plotly_treemapclick", (event) => {
      const node = drawn.get(event.points[0].id);
      // What plotly would do itself knows only what is drawn.
      if (node) setTimeout(() => into(node), 0);
      return false;
    });
  });
}
