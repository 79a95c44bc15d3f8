// What an image's files are: a filter, the treemap, where one is, the tree, and all that is known of the chosen entry.

const VIEWS = {image: "what the image shows", all: "all that the layers carry", wasted: "wasted", added: "added by a layer", changed: "changed by a layer", removals: "removals"};
const GROUPS = {path: "path", owner: "owner", layer: "layer", leftover: "leftover"};
const NO_FILTER = {view: "all", layer: -1, owner: -1, leftover: 0, sought: ""};

class Explorer {
  constructor(anatomy, files, state) {
    this.anatomy = anatomy;
    this.files = files;
    state.filter ??= {...NO_FILTER};
    state.group ??= "path";
    state.zoom ??= [];
    this.state = state;
    this.tree = new TreeView(t("Files of {}", anatomy.name), files,
      {active: (node) => this.tell(node), into: (node) => this.into(node), up: () => this.up()});
    this.detail = el("div", {class: "detail", "aria-live": "polite"});
    this.crumbs = el("div", {class: "crumbs", role: "navigation", "aria-label": t("Where you are")});
    this.counted = el("span", {class: "faint", role: "status"});
    this.bar = el("div", {class: "bar"});
    this.rebuild();
    this.map = treemap(t("Treemap of {}: the tree below has the same figures", anatomy.name), () => this.here, () => this.state.filter.view === "wasted", (node) => {
      if (node === this.here) this.up();
      else if (!node.leaf) this.into(node);
      else { this.reveal(node); }
    });
    const legend = el("div", {class: "legend"}, ...[...CATEGORIES, "wasted"].map((name) =>
      el("span", {}, el("i", {style: {background: `var(--${name})`}}), t(CATEGORY_TITLES[name]))));
    this.box = el("div", {}, this.bar, this.crumbs, this.map, legend, this.tree.box, this.detail);
    this.draw(false);
  }

  /** Change what is shown; `changes` are fields of the filter. */
  filter(changes) {
    this.state.filter = {...this.state.filter, ...changes};
    this.rebuild();
    this.draw();
  }

  rebuild() {
    const {filter, group} = this.state, files = this.files;
    const chosen = files.select(filter);
    this.broken = chosen === null;
    const entries = chosen ?? new Int32Array(0);
    const paths = (members, _, key) => new PathTree(files, members, key).root("").parts;
    const of = {
      owner: () => grouped(files, entries, "o", (i) => groupOfOwner(files.owners[files.owner[i]]), (name) => ownerGroup(name),
        (members, name, key) => ALONE.has(name) ? paths(members, name, key)
          : grouped(files, members, key, (i) => files.owner[i], (number) => ownerName(files.owners[number]), paths)),
      layer: () => grouped(files, entries, "l", (i) => files.layer[i], (number) => this.layerTitle(number), paths),
      leftover: () => grouped(files, entries, "k", (i) => files.leftover[i], (number) => number ? this.kind(number) : t("no known leftover"), paths),
    };
    const tree = new PathTree(files, entries, "p"), whole = tree.root(this.anatomy.name);
    this.root = group === "path" ? whole
      : new Node("root", this.anatomy.name, whole.size, whole.many, whole.category, of[group], {lost: whole.lost});
    this.zoomed = [this.root];
    for (const key of this.state.zoom) {
      const next = this.here.parts.find((part) => part.key === key);
      if (!next) break;
      this.zoomed.push(next);
    }
  }

  get here() { return this.zoomed[this.zoomed.length - 1]; }

  kind(number) {
    const name = this.files.leftovers[number];
    return said(this.anatomy.kinds[name] ?? {words: name}, "words");
  }

  layerTitle(number) {
    const layer = this.anatomy.layers[number];
    return `${number + 1}: ${short(layer.text || t("unknown"), 70)}`;
  }

  draw(map = true) {
    this.state.zoom = this.zoomed.slice(1).map((node) => node.key);
    this.drawBar();
    this.crumbs.replaceChildren(...this.zoomed.flatMap((node, at) => [
      at ? el("span", {class: "faint", "aria-hidden": "true"}, "›") : null,
      at === this.zoomed.length - 1 ? el("b", {}, node.label) : el("button", {class: "link", onclick: () => this.out(at)}, node.label),
    ]).filter(Boolean), el("span", {class: "faint"}, ` ${size(this.here.size)}`));
    this.tree.show(this.here, Boolean(this.state.filter.sought));
    this.counted.textContent = this.broken ? t("no regular expression") : t("{} files, {}", count(this.root.many), size(this.root.size));
    this.tell(this.here);
    if (map) this.map.redrawLater();
  }

  drawBar() {
    if (this.bar.childElementCount) {
      for (const [name, select] of Object.entries(this.choices)) select.value = String(name === "group" ? this.state.group : this.state.filter[name]);
      if (document.activeElement !== this.search) this.search.value = this.state.filter.sought;
      return;
    }
    const {filter} = this.state, files = this.files;
    const choice = (label, name, options) => {
      const value = name === "group" ? this.state.group : filter[name];
      const select = el("select", {"data-filter": name, onchange: (event) => {
        if (name === "group") { this.state.group = event.target.value; this.state.zoom = []; this.filter({}); }
        else this.filter({[name]: name === "view" ? event.target.value : Number(event.target.value)});
      }}, ...options.map(([key, title]) => el("option", {value: key, selected: String(key) === String(value)}, title)));
      this.choices[name] = select;
      return el("label", {}, label, select);
    };
    this.choices = {};
    let waiting = 0;
    this.search = el("input", {type: "search", placeholder: t("text or /pattern/"), value: filter.sought, "data-filter": "sought", oninput: (event) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.filter({sought: event.target.value}), 150);
    }, onkeydown: (event) => {
      if (event.key === "ArrowDown" || event.key === "Enter") { event.preventDefault(); this.tree.box.focus(); }
    }});
    const owners = this.anatomy.owners.map((share) => [share.number, `${short(ownerName(files.owners[share.number]), 50)} (${size(share.size)})`]);
    const used = files.leftovers.map((_, number) => [number, this.kind(number)]).slice(1);
    this.bar.append(
      choice(t("Show"), "view", Object.entries(VIEWS).map(([key, title]) => [key, t(title)])),
      choice(t("by"), "group", Object.entries(GROUPS).filter(([key]) => key !== "leftover" || used.length).map(([key, title]) => [key, t(title)])),
      choice(t("Layer"), "layer", [[-1, t("all")], ...this.anatomy.layers.map((_, number) => [number, this.layerTitle(number)])]),
      owners.length > 1 ? choice(t("Owner"), "owner", [[-1, t("all")], ...owners]) : "",
      used.length ? choice(t("Leftover"), "leftover", [[0, t("all")], [-1, t("any leftover")], ...used]) : "",
      el("label", {}, t("Search"), this.search),
      el("button", {onclick: () => { this.state.zoom = []; this.search.value = ""; this.filter(NO_FILTER); }}, t("Reset")),
      this.counted);
  }

  into(node) {
    this.zoomed = [...this.zoomed, ...way(this.here, node)];
    this.draw();
  }

  out(at) {
    const left = this.zoomed[at + 1];
    this.zoomed = this.zoomed.slice(0, at + 1);
    this.draw();
    if (left) this.tree.find(left.key);
  }

  up() { if (this.zoomed.length > 1) this.out(this.zoomed.length - 2); }

  /** Open the tree as far as a node that the treemap shows, and choose it. */
  reveal(node) {
    for (const step of way(this.here, node)) {
      const at = this.tree.rows.findIndex((row) => row.node === step);
      if (at >= 0 && step !== node) this.tree.expand(at);
    }
    this.tree.find(node.key);
  }

  /** All that is known of a node. */
  tell(node) {
    const files = this.files, i = node.entry, layers = this.anatomy.layers;
    const lines = [el("p", {}, el("code", {}, node.path || node.label), " ", el("span", {class: "faint"}, size(node.size)))];
    if (i < 0) {
      lines.push(el("p", {class: "faint"}, node.lost ? t("{} files, {}", count(node.many), t("{} of it wasted", size(node.lost))) : t("{} files", count(node.many))));
    } else {
      lines.push(el("p", {}, t("Layer {}", files.layer[i] + 1), ": ", ...made(layers[files.layer[i]])));
      const below = files.changes(i) ? i + 1 : -1;
      if (below >= 0) lines.push(el("p", {}, t("covers {} of layer {}", size(files.size[below]), files.layer[below] + 1)));
      if (files.fate[i]) lines.push(el("p", {class: "lost"}, t(TAKEN[files.fate[i]], files.by[i] + 1), ": ", ...made(layers[files.by[i]])));
      lines.push(el("p", {class: "faint"}, t("Owner"), ": ", ownerName(files.owners[files.owner[i]]),
        files.leftover[i] ? ` · ${t("Leftover")}: ${this.kind(files.leftover[i])}` : ""));
    }
    this.detail.replaceChildren(...lines);
  }
}

const TAKEN = ["", "removed by layer {}", "replaced by layer {}", "written again, the same bytes, by layer {}"];
const CATEGORY_TITLES = {application: "application", language: "language packages", runtime: "runtimes", system: "system packages", nobody: "no package", wasted: "wasted"};

/** The parts from a node, without itself, down to another one that was made from it. */
function way(from, to) {
  const todo = from.parts.map((part) => [part]);
  for (let at = 0; at < todo.length; at += 1) {
    const path = todo[at], last = path[path.length - 1];
    if (last === to) return path;
    if (last.made) for (const part of last.made) todo.push([...path, part]);
  }
  return [to];
}

const groupOfOwner = (owner) => owner.kind === "runtime" ? "runtime" : owner.ecosystem || owner.kind;
const ALONE = new Set(["nobody", "application"]); // owners without packages
const ownerGroup = (name) => ALONE.has(name) ? ownerName({kind: name, name: ""}) : name === "runtime" ? t("runtimes") : name;

/** What made a layer: its instruction, and where that stands. */
function made(layer) {
  if (!layer) return [""];
  const where = layer.dockerfile ? `${layer.dockerfile}${layer.line ? `:${layer.line}` : ""}` : layer.of_base ? layer.base || t("the base image") : "";
  return [el("code", {}, layer.text || t("unknown")), where ? el("span", {class: "faint"}, ` · ${where}`) : ""];
}
