// The treemap: of the node that is looked at, its parts, their parts, and those of the large ones. No more is ever drawn,
// however many files there are; a click looks into a part.

const WIDTHS = [70, 30, 16];
const LEAST = [0, 0.012, 0.06];

/** What plotly is given of a node; `drawn` gets the nodes by their ids. */
function treemapFigure(node, drawn) {
  const ids = [node.key], labels = [literal(short(node.label, 80))], parents = [""], values = [node.size];
  const text = [size(node.size)], hover = [node], colours = ["rgba(0,0,0,0)"];
  drawn.set(node.key, node);
  const put = (above, level) => {
    const parts = above.parts.filter((part) => part.size > 0), most = WIDTHS[level];
    parts.slice(0, most).forEach((part) => {
      ids.push(part.key); labels.push(literal(short(part.label, 60))); parents.push(above.key); values.push(part.size);
      text.push(size(part.size)); hover.push(part); colours.push(colour(CATEGORIES[part.category]));
      drawn.set(part.key, part);
      if (!part.leaf && level + 1 < WIDTHS.length && part.size >= LEAST[level + 1] * node.size) put(part, level + 1);
    });
    const rest = parts.slice(most);
    if (!rest.length) return;
    const left = rest.reduce((sum, part) => sum + part.size, 0);
    const more = {key: `${above.key}+`, label: t("{} more", count(rest.length)), size: left, many: rest.reduce((sum, part) => sum + part.many, 0), path: above.path, lost: 0};
    ids.push(more.key); labels.push(more.label); parents.push(above.key); values.push(left); text.push(size(left));
    hover.push(more); colours.push(colour("metadata"));
  };
  put(node, 0);
  const told = hover.map((part) => [
    `<b>${literal(short(part.path || part.label, 120))}</b>`,
    `${size(part.size)}${node.size ? ` (${percent(part.size / node.size)})` : ""}`,
    t("{} files", count(part.many)),
    part.lost ? t("{} of it wasted", size(part.lost)) : "",
  ].filter(Boolean).join("<br>"));
  return {
    data: [{
      type: "treemap", ids, labels, parents, values, text, branchvalues: "total", textinfo: "label+text", hovertext: told,
      hoverinfo: "text", sort: true, pathbar: {visible: false}, tiling: {packing: "squarify", pad: 2}, root: {color: "rgba(0,0,0,0)"},
      marker: {colors: colours, line: {color: colour("ground"), width: 1}, pad: {t: 20, l: 3, r: 3, b: 3}},
      textfont: {color: ids.map((_, i) => i ? "#ffffff" : colour("ink"))},
    }],
    layout: {margin: {t: 2, l: 2, r: 2, b: 2}, uniformtext: {minsize: 9, mode: false}},
  };
}

/** The treemap of whatever `current` gives; `into` is told which part was chosen. */
function treemap(label, current, into) {
  const drawn = new Map();
  let listening = false;
  return chart("map", label, () => {
    drawn.clear();
    return treemapFigure(current(), drawn);
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
