// The tree of files as a table that only ever holds the rows one can see, so that 100,000 files are no more than forty.

const ROW = 26;

/** Rows of a tree. `asked` are what happens: `active(node)` a row was chosen, `into(node)` a directory was entered,
 * `up()` somebody wants out of it. */
class TreeView {
  constructor(label, files, asked) {
    this.files = files;
    this.number = TreeView.made = (TreeView.made ?? 0) + 1; // a page may have two trees
    this.asked = asked;
    this.rows = [];
    this.at = 0;
    this.drawn = "";
    this.space = el("div", {role: "presentation", style: {position: "relative"}});
    const heading = (title, classes = "") => el("span", {role: "columnheader", class: classes}, title);
    this.box = el("div", {class: "tree", tabindex: "0", role: "treegrid", "aria-label": label},
      el("div", {class: "head", role: "row"}, heading(t("Name")), heading(t("Size"), "right"), heading(t("Share"), "right"),
        heading(t("Files"), "right wide"), heading(t("Layer"), "wide"), heading(t("Owner"), "wide")),
      this.space);
    this.box.addEventListener("scroll", () => this.draw());
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("click", (event) => this.click(event));
    this.box.addEventListener("dblclick", (event) => this.click(event, true));
  }

  /** Show the parts of a node; `open` shows what is in the first ones as well, as long as it is little. */
  show(node, open) {
    this.root = node;
    this.rows = node.parts.map((part) => ({node: part, depth: 0, open: false}));
    if (open) for (let at = 0; at < this.rows.length && this.rows.length < 200; at += 1) this.expand(at, false);
    this.at = 0;
    this.box.scrollTop = 0;
    this.fresh();
  }

  fresh() {
    this.drawn = "";
    this.space.style.height = `${Math.max(1, this.rows.length) * ROW}px`;
    this.box.setAttribute("aria-rowcount", this.rows.length);
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - 8);
    const last = Math.min(this.rows.length, first + Math.ceil((Math.max(this.box.clientHeight, 420)) / ROW) + 16);
    const state = `${first}:${last}:${this.at}:${this.rows.length}`;
    if (state === this.drawn) return;
    this.drawn = state;
    const made = [];
    for (let at = first; at < last; at += 1) made.push(this.row(at));
    if (!this.rows.length) made.push(el("div", {class: "row faint"}, el("span", {}, t("nothing fits"))));
    this.space.replaceChildren(...made);
    const active = this.space.querySelector(".active");
    if (active) this.box.setAttribute("aria-activedescendant", active.id);
  }

  row(at) {
    const {node, depth, open} = this.rows[at], files = this.files, i = node.entry;
    const lost = i >= 0 && files.fate[i];
    const mark = node.leaf ? "" : open ? "▾" : "▸";
    const cell = (classes, ...content) => el("span", {role: "gridcell", class: classes}, ...content);
    return el("div", {
      class: `row${at === this.at ? " active" : ""}`, role: "row", id: `tree-${this.number}-row-${at}`, "data-at": at, "data-key": node.key,
      "aria-level": depth + 1, "aria-expanded": node.leaf ? null : String(open), "aria-selected": String(at === this.at),
      "aria-rowindex": at + 1, title: node.path, style: {top: `${at * ROW}px`},
    },
    cell(`mono${lost ? " lost" : ""}`, el("span", {style: {paddingLeft: `${Math.min(depth, 24) * 14}px`}}),
      el("span", {class: "twist", "aria-hidden": "true"}, mark),
      (i >= 0 && files.kind[i] === "w" ? "− " : "") + node.label),
    cell("right", i >= 0 && files.kind[i] !== "f" && files.kind[i] !== MERGED ? t(KINDS[files.kind[i]] ?? "special") : size(node.size)),
    cell("right", this.root.size ? percent(node.size / this.root.size) : ""),
    cell("right wide", node.leaf ? "" : count(node.many)),
    cell("wide", i >= 0 ? (lost ? t("{} → {}", files.layer[i] + 1, t(FATES[files.fate[i]])) : String(files.layer[i] + 1)) : node.lost ? t("{} wasted", size(node.lost)) : ""),
    cell("wide", i >= 0 ? ownerName(files.owners[files.owner[i]]) : ""));
  }

  expand(at, draw = true) {
    const row = this.rows[at];
    if (!row || row.node.leaf || row.open) return;
    row.open = true;
    const added = row.node.parts.map((part) => ({node: part, depth: row.depth + 1, open: false}));
    this.rows = [...this.rows.slice(0, at + 1), ...added, ...this.rows.slice(at + 1)];
    if (draw) this.fresh();
  }

  collapse(at) {
    const row = this.rows[at];
    let end = at + 1;
    while (end < this.rows.length && this.rows[end].depth > row.depth) end += 1;
    this.rows.splice(at + 1, end - at - 1);
    row.open = false;
    this.fresh();
  }

  choose(at) {
    if (!this.rows.length) return;
    this.at = Math.max(0, Math.min(this.rows.length - 1, at));
    const top = this.at * ROW, room = this.box.clientHeight - 2 * ROW;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top > this.box.scrollTop + room) this.box.scrollTop = top - room;
    this.draw();
    this.asked.active(this.rows[this.at].node);
  }

  /** Make the row of a node the active one, where it is among the rows. */
  find(key) {
    const at = this.rows.findIndex((row) => row.node.key === key);
    if (at >= 0) this.choose(at);
  }

  click(event, twice = false) {
    const found = event.target.closest("[data-at]");
    if (!found) return;
    const at = Number(found.dataset.at), row = this.rows[at];
    this.choose(at);
    if (row.node.leaf) return;
    if (twice) this.asked.into(row.node);
    else if (event.target.closest(".twist") && event.detail < 2) (row.open ? this.collapse(at) : this.expand(at));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = this.rows[this.at], page = Math.max(1, Math.floor(this.box.clientHeight / ROW) - 2);
    const moves = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity, j: 1, k: -1};
    if (event.key in moves) this.choose(this.at + moves[event.key]);
    else if (event.key === "Backspace") this.asked.up();
    else if (!row) return;
    else if (event.key === "ArrowRight" || event.key === "l") {
      if (row.node.leaf) return;
      if (row.open) this.choose(this.at + 1); else this.expand(this.at);
    } else if (event.key === "ArrowLeft" || event.key === "h") {
      if (row.open) this.collapse(this.at);
      else {
        let above = this.at;
        while (above >= 0 && this.rows[above].depth >= row.depth) above -= 1;
        if (above >= 0) this.choose(above);
      }
    } else if (event.key === " ") {
      if (row.node.leaf) return;
      if (row.open) this.collapse(this.at); else this.expand(this.at);
    } else if (event.key === "Enter") {
      if (!row.node.leaf) this.asked.into(row.node);
    } else return;
    event.preventDefault();
  }
}

const KINDS = {s: "link", h: "hard link", w: "removal", o: "opaque", c: "device", b: "device", p: "pipe", d: "directory"};

/** An owner as people call it. */
function ownerName(owner) {
  if (owner.name) return owner.version ? `${owner.name} ${owner.version}` : owner.name;
  return t({application: "the application", nobody: "no package"}[owner.kind] ?? owner.kind);
}
