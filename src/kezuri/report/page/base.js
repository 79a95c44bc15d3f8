// What every part of the page uses: elements, words in two languages (WORDS has the Japanese ones), sizes, the library of
// charts.

const unsaid = new Set(); // sentences that there is no Japanese for
const settings = {language: document.documentElement.lang || "en", theme: "light", paper: 0};

/** A sentence in the reader's language, each `{}` replaced by the next gap. */
function t(sentence, ...gaps) {
  if (settings.language === "ja" && !(sentence in WORDS) && /[a-z]/i.test(sentence)) unsaid.add(sentence);
  const found = settings.language === "ja" ? WORDS[sentence] ?? sentence : sentence;
  let next = 0;
  return found.replace(/\{(\d*)\}/g, (_, number) => String(gaps[number === "" ? next++ : Number(number)]));
}

/** What the writer said in both languages: a field, or the one beside it. */
const said = (value, field) => (settings.language === "ja" && value[`${field}_ja`]) || value[field];

/** An element. Text of others only ever gets in as a text node or an attribute, never as markup. */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(made.style, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/** Bytes in units of 1000 with three digits, as kezuri prints them. */
function size(bytes) {
  let value = bytes, unit = 0;
  while (Math.abs(value) >= 999.5 && unit < UNITS.length - 1) { value /= 1000; unit += 1; }
  return `${rounded(value, 3)}${UNITS[unit]}`;
}

/** A number above zero with so many digits; what lies in the middle of two goes to the even one, as in what is printed. */
function rounded(value, digits) {
  const up = Number(value.toPrecision(digits)), exact = value.toPrecision(60).replace(".", "").replace(/^0+/, "");
  if (!/^50*$/.test(exact.slice(digits)) || Number(exact[digits - 1]) % 2) return up;
  return Number((2 * value - up).toPrecision(digits));
}

/** Seconds as people say them. */
function duration(seconds) {
  if (seconds < 0.995) return t("{} s", seconds < 0.005 ? 0 : rounded(seconds, 2));
  if (seconds < 9.95) return t("{} s", seconds.toFixed(1));
  const whole = rounded(seconds, String(Math.floor(seconds)).length);
  if (whole < 60) return t("{} s", whole);
  if (whole < 3600) return whole % 60 ? t("{} min {} s", Math.floor(whole / 60), whole % 60) : t("{} min", whole / 60);
  return t("{} h {} min", Math.floor(whole / 3600), Math.floor(whole % 3600 / 60));
}

const count = (number) => number.toLocaleString(settings.language === "ja" ? "ja-JP" : "en-US");
const percent = (part) => `${(100 * part).toFixed(1)}%`;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Text as plotly shows it, which takes some markup for its own. */
const literal = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const short = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;

/** The text that base64 of a gzip stands for. */
async function unpacked(text) {
  const bytes = Uint8Array.fromBase64?.(text) ?? decoded(atob(text));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

function decoded(chars) {
  const bytes = new Uint8Array(chars.length);
  for (let i = 0; i < chars.length; i += 1) bytes[i] = chars.charCodeAt(i);
  return bytes;
}

let charting = null;

/** plotly, made ready when the first chart wants it. */
function library() {
  charting ??= (async () => {
    const script = document.createElement("script");
    script.textContent = await unpacked(document.getElementById("library").textContent);
    document.head.append(script);
    if (!window.Plotly) throw new Error("plotly");
    return window.Plotly;
  })();
  return charting;
}

/** An element that becomes a chart: `figure` gives its data and layout, `ready` hears of it. The words for who cannot
 * see it are its label; a table beside it has the figures. */
function chart(classes, label, figure, ready = () => {}) {
  const box = el("div", {class: `chart ${classes}`, role: "img", "aria-label": label});
  box.redraw = () => {
    const {data, layout} = figure();
    window.Plotly.react(box, data, dressed(layout), {displayModeBar: false, responsive: true});
    box.dataset.drawn = "true";
  };
  // Whatever is typed or pressed meanwhile goes first.
  let waiting = 0;
  box.redrawLater = () => {
    if (!window.Plotly) return;
    delete box.dataset.drawn;
    clearTimeout(waiting);
    waiting = setTimeout(box.redraw, 30);
  };
  library().then(() => { box.redraw(); ready(box); }).catch((error) => {
    console.error(error);
    box.replaceChildren(el("p", {class: "note"}, t("The chart could not be drawn: {}", error.message)));
  });
  return box;
}

/** A layout in the colours of the page. */
function dressed(layout) {
  const axis = {gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line"), automargin: true, fixedrange: true};
  const dress = {...layout, width: settings.paper || undefined, autosize: !settings.paper, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)"};
  dress.font = {color: colour("ink"), size: 12, family: getComputedStyle(document.body).fontFamily};
  dress.hoverlabel = {bgcolor: colour("raised"), bordercolor: colour("line"), font: {color: colour("ink")}, align: "left"};
  for (const name of ["xaxis", "yaxis"]) if (layout[name]) dress[name] = {...axis, ...layout[name]};
  return dress;
}

/** A table. Columns are {title, number, text, cell(row), tone(row), by(row)}; one that has `by` can be sorted by, the largest
 * first, then the smallest. Of many rows `most` are there until somebody asks for the rest. */
function table(columns, rows, {caption = "", most = 15, id = null} = {}) {
  let order = rows, limit = most, sorted = null;
  const body = el("tbody");
  const row = (value) => el("tr", {}, ...columns.map((column) =>
    el("td", {class: `${column.number ? "number" : column.text ? "text" : ""} ${column.tone?.(value) ?? ""}`.trim()}, column.cell(value))));
  const fill = () => body.replaceChildren(...order.slice(0, limit).map(row));
  const heads = columns.map((column) => {
    const head = el("th", {class: column.number ? "number" : null, scope: "col"}, column.by ? el("button", {class: "link", title: t("sort"), onclick: () => {
      const sign = sorted === head && head.ariaSort === "descending" ? 1 : -1;
      sorted?.removeAttribute("aria-sort");
      sorted = head;
      head.ariaSort = sign < 0 ? "descending" : "ascending";
      order = [...rows].sort((a, b) => sign * (column.by(a) - column.by(b)));
      fill();
    }}, column.title) : column.title);
    return head;
  });
  fill();
  const made = el("table", {id}, caption && el("caption", {}, caption), el("thead", {}, el("tr", {}, ...heads)), body);
  const box = el("div", {class: "scroll"}, made);
  if (rows.length <= most) return box;
  const left = el("p", {class: "paper faint"}, t("{} more", count(rows.length - most)));
  const more = el("button", {class: "more", onclick: () => {
    limit = rows.length;
    fill();
    more.remove();
    left.remove();
  }}, t("show all {}", count(rows.length)));
  return el("div", {}, box, more, left);
}

const meter = (part) => el("span", {class: "meter", "aria-hidden": "true"}, el("i", {style: {width: `${Math.max(0, Math.min(100, 100 * part))}%`}}));
