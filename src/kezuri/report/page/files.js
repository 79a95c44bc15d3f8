// The files of an image: columns as they came, and trees over any choice of them, built level by level.

const FATES = ["shown", "removed", "replaced", "rewritten"];
const CATEGORIES = ["application", "language", "runtime", "system", "nobody"];
const LOST = CATEGORIES.length; // the place of what is wasted in sums by category
const WIDTH = LOST + 1;
const MERGED = "m";

/** The files of all layers. Entries of one directory stand together, those of one path one after the other, the
 * uppermost layer's first; a directory's number is higher than its parent's. */
class Files {
  constructor(raw, owners, kinds) {
    const many = raw.size.length;
    this.length = many;
    this.owners = owners;
    this.leftovers = kinds;
    this.parent = Int32Array.from(raw.parent);
    this.directories = raw.directories.split("/");
    this.names = many ? raw.names.split("/") : [];
    for (let i = 1; i < many; i += 1) if (this.names[i] === "") this.names[i] = this.names[i - 1];
    this.kind = raw.kind;
    this.size = Float64Array.from(raw.size);
    this.layer = Int32Array.from(raw.layer);
    this.by = Int32Array.from(raw.by);
    this.owner = Int32Array.from(raw.owner);
    this.leftover = Int32Array.from(raw.leftover);
    this.fate = Uint8Array.from(raw.fate, Number);
    this.start = new Int32Array(raw.counts.length + 1);
    this.directory = new Int32Array(many);
    raw.counts.forEach((entries, number) => {
      this.start[number + 1] = this.start[number] + entries;
      this.directory.fill(number, this.start[number], this.start[number + 1]);
    });
    this.below = raw.counts.map(() => []);
    for (let number = 1; number < this.parent.length; number += 1) this.below[this.parent[number]].push(number);
    this.category = new Uint8Array(many);
    const ofOwner = owners.map((owner) => CATEGORIES.indexOf(owner.kind));
    for (let i = 0; i < many; i += 1) this.category[i] = ofOwner[this.owner[i]];
    this.sought = null;
  }

  /** The path of a directory, without a slash at either end. */
  directoryPath(number) {
    const names = [];
    for (let at = number; at > 0; at = this.parent[at]) names.push(this.directories[at]);
    return names.reverse().join("/");
  }

  label(i) {
    return this.kind[i] === MERGED ? t("{} smaller files", count(Number(this.names[i]))) : this.names[i];
  }

  files(i) {
    return this.kind[i] === MERGED ? Number(this.names[i]) : 1;
  }

  path(i) {
    const above = this.directoryPath(this.directory[i]);
    return `/${above ? `${above}/` : ""}${this.label(i)}`;
  }

  /** Whether an entry has another layer's file below it at the same path. */
  changes(i) {
    const next = i + 1;
    return next < this.length && this.directory[next] === this.directory[i] && this.names[next] === this.names[i]
      && this.kind[i] !== MERGED && this.layer[next] < this.layer[i];
  }

  /** The numbers of the entries that a filter lets through; null where what is sought is no regular expression. */
  select({view, layer, owner, leftover, sought}) {
    const matches = this.matcher(sought);
    if (matches === null) return null;
    const found = new Int32Array(this.length);
    let many = 0;
    for (let i = 0; i < this.length; i += 1) {
      const kind = this.kind[i];
      if (view === "image" && (this.fate[i] || kind === "w" || kind === "o")) continue;
      if (view === "wasted" && !this.fate[i]) continue;
      if (view === "added" && (kind === "w" || kind === "o" || this.changes(i))) continue;
      if (view === "changed" && (kind === "w" || kind === "o" || !this.changes(i))) continue;
      if (view === "removals" && kind !== "w" && kind !== "o") continue;
      if (layer >= 0 && this.layer[i] !== layer) continue;
      if (owner >= 0 && this.owner[i] !== owner) continue;
      if (leftover > 0 && this.leftover[i] !== leftover) continue;
      if (leftover < 0 && !this.leftover[i]) continue;
      if (matches && !matches(i)) continue;
      found[many++] = i;
    }
    return found.slice(0, many);
  }

  matcher(sought) {
    if (!sought) return undefined;
    const whole = /^\/(.+)\/$/.exec(sought);
    if (whole) {
      let pattern;
      try { pattern = new RegExp(whole[1], "i"); } catch { return null; }
      const paths = this.paths();
      return (i) => pattern.test(paths[i]);
    }
    const paths = this.paths(), low = sought.toLowerCase();
    return (i) => paths[i].includes(low);
  }

  /** Every path in small letters, put together when somebody first seeks. */
  paths() {
    if (this.sought === null) {
      const above = this.directories.map((_, number) => `/${this.directoryPath(number)}`.toLowerCase());
      this.sought = this.names.map((name, i) => `${above[this.directory[i]] === "/" ? "" : above[this.directory[i]]}/${name.toLowerCase()}`);
    }
    return this.sought;
  }
}

/** Something with a size and, perhaps, parts: `parts` gives them, the largest first, and is asked once. */
class Node {
  constructor(key, label, bytes, many, category, parts = null, extra = {}) {
    Object.assign(this, {key, label, size: bytes, many, category, entry: -1, path: "", lost: 0}, extra);
    this.make = parts;
    this.made = null;
  }

  get leaf() { return this.make === null; }

  get parts() {
    if (this.made === null) {
      this.made = this.make ? this.make() : [];
      this.made.sort((a, b) => b.size - a.size || (a.label < b.label ? -1 : a.label > b.label ? 1 : 0));
    }
    return this.made;
  }
}

/** Chosen entries as a tree of directories: the sums are made at once, the nodes when a directory is looked into. */
class PathTree {
  constructor(files, chosen, prefix) {
    this.files = files;
    this.chosen = chosen;
    this.prefix = prefix;
    const many = files.parent.length;
    this.sums = new Float64Array(many * WIDTH);
    this.counts = new Int32Array(many);
    for (const i of chosen) {
      const at = files.directory[i] * WIDTH;
      this.sums[at + files.category[i]] += files.size[i];
      if (files.fate[i]) this.sums[at + LOST] += files.size[i];
      this.counts[files.directory[i]] += files.files(i);
    }
    for (let number = many - 1; number > 0; number -= 1) {
      const above = files.parent[number];
      this.counts[above] += this.counts[number];
      for (let c = 0; c < WIDTH; c += 1) this.sums[above * WIDTH + c] += this.sums[number * WIDTH + c];
    }
  }

  root(label, extra = {}) { return this.node(0, label, extra); }

  node(number, label, extra = {}) {
    const sums = this.sums.subarray(number * WIDTH, (number + 1) * WIDTH);
    return new Node(`${this.prefix}d${number}`, label, total(sums), this.counts[number], largest(sums), () => this.below(number),
      {path: `/${this.files.directoryPath(number)}`, lost: sums[LOST], ...extra});
  }

  below(number) {
    const files = this.files, found = [];
    for (let below of files.below[number]) {
      if (!this.counts[below]) continue;
      // A directory that holds one directory and nothing else is shown as one with it.
      let label = files.directories[below];
      for (let only = this.only(below); only; only = this.only(below)) {
        below = only;
        label += `/${files.directories[below]}`;
      }
      found.push(this.node(below, `${label}/`));
    }
    for (let at = this.first(files.start[number]); at < this.chosen.length && this.chosen[at] < files.start[number + 1]; at += 1) {
      const i = this.chosen[at];
      found.push(new Node(`${this.prefix}f${i}`, files.label(i), files.size[i], files.files(i), files.category[i], null,
        {entry: i, path: files.path(i), lost: files.fate[i] ? files.size[i] : 0}));
    }
    return found;
  }

  only(number) {
    const files = this.files, at = this.first(files.start[number]);
    if (at < this.chosen.length && this.chosen[at] < files.start[number + 1]) return 0;
    const held = files.below[number].filter((below) => this.counts[below]);
    return held.length === 1 ? held[0] : 0;
  }

  /** The place of the first chosen entry that is not before `start`. */
  first(start) {
    let low = 0, high = this.chosen.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.chosen[middle] < start) low = middle + 1; else high = middle;
    }
    return low;
  }
}

const total = (sums) => sums.subarray(0, LOST).reduce((a, b) => a + b, 0);
const largest = (sums) => { const owned = sums.subarray(0, LOST); return owned.indexOf(Math.max(...owned)); };

/** Chosen entries in groups: `of` gives an entry's group, `title` a group's label, `within` its own parts. */
function grouped(files, chosen, prefix, of, title, within) {
  const groups = new Map();
  for (const i of chosen) {
    const group = of(i);
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(i);
  }
  return [...groups].map(([group, members]) => {
    const sums = new Float64Array(WIDTH), key = `${prefix}g${group}-`;
    let many = 0;
    for (const i of members) {
      sums[files.category[i]] += files.size[i];
      if (files.fate[i]) sums[LOST] += files.size[i];
      many += files.files(i);
    }
    return new Node(key, title(group), total(sums), many, largest(sums), () => within(members, group, key), {lost: sums[LOST]});
  });
}
