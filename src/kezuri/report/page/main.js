// The page put together: sections, the switches for language and colours, keys, and what is different on paper.

const SECTIONS = {anatomy: anatomySection, comparison: comparisonSection, profile: profileSection, findings: findingsSection, scan: scanSection};
const TITLES = {anatomy: "Anatomy of {}", comparison: "Before and after", profile: "What the build cost: {}", findings: "Findings", scan: "Scan of {}"};
const KEYS = [["/", "search"], ["↑ ↓ PgUp PgDn Home End", "move in the tree"], ["→ ←", "open and close a directory"], ["Enter", "look into a directory: the treemap follows"], ["Backspace", "one directory up"], ["t", "light or dark"], ["L", "日本語 / English"]];

const page = {data: null, states: [], charts: () => document.querySelectorAll(".chart")};

/** The name of a section as its heading has it. */
function titleOf(section) {
  const title = t(TITLES[section.kind], section.name ?? "");
  return section.side ? `${t(section.side)}: ${title}` : title;
}

function draw() {
  document.documentElement.lang = settings.language;
  document.querySelector(".skip").textContent = t("Skip to the content");
  document.getElementById("switches").replaceChildren(
    el("button", {id: "language", title: "L", lang: settings.language === "ja" ? "en" : "ja", onclick: switchLanguage}, settings.language === "ja" ? "English" : "日本語"),
    el("button", {id: "theme", title: "t", onclick: switchTheme}, settings.theme === "dark" ? t("light") : t("dark")));
  const sections = page.data.sections;
  document.getElementById("contents").replaceChildren(...sections.length > 1 ? sections.map((section, at) => el("a", {href: `#section-${at}`}, titleOf(section))) : []);
  document.getElementById("main").replaceChildren(...sections.map((section, at) => {
    const made = SECTIONS[section.kind](section, page.states[at]);
    made.id = `section-${at}`;
    made.prepend(el("h2", {}, titleOf(section)));
    return made;
  }));
  document.getElementById("foot").replaceChildren(
    el("details", {class: "keys-box"}, el("summary", {}, t("Keys")), el("dl", {class: "keys"}, ...KEYS.flatMap(([key, title]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, t(title))]))),
    el("p", {}, t("Written by kezuri {}. This page holds all that it shows and asks no network.", page.data.version)),
    page.data.licence ? el("details", {}, el("summary", {}, t("Charts: {}", page.data.licence.name)), el("pre", {}, page.data.licence.text)) : "");
  document.querySelectorAll(".tree").forEach((box) => box.dispatchEvent(new Event("scroll")));
}

function switchLanguage() {
  settings.language = settings.language === "ja" ? "en" : "ja";
  draw();
  document.getElementById("language").focus();
}

function useTheme(theme) {
  settings.theme = theme;
  document.documentElement.dataset.theme = theme;
}

function switchTheme() {
  useTheme(settings.theme === "dark" ? "light" : "dark");
  document.getElementById("theme").textContent = settings.theme === "dark" ? t("light") : t("dark");
  redrawn();
}

const redrawn = () => { if (window.Plotly) page.charts().forEach((box) => box.redraw?.()); };

// Paper is light, and as wide as it is.
let before = null;
addEventListener("beforeprint", () => {
  before ??= settings.theme;
  settings.paper = 680;
  useTheme("light");
  redrawn();
});
addEventListener("afterprint", () => {
  useTheme(before ?? settings.theme);
  before = null;
  settings.paper = 0;
  redrawn();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) {
    if (event.key === "Escape" && event.target.matches("input")) { event.target.value = ""; event.target.dispatchEvent(new Event("input")); event.target.blur(); }
    return;
  }
  if (event.key === "/") document.querySelector('input[type="search"]')?.focus();
  else if (event.key === "t") switchTheme();
  else if (event.key === "L") switchLanguage();
  else return;
  event.preventDefault();
});

// For whoever looks into the page from outside, its tests above all.
window.kezuri = {page, settings, unsaid};

(async () => {
  if (navigator.language.startsWith("ja")) settings.language = "ja";
  useTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  try {
    page.data = JSON.parse(await unpacked(document.getElementById("data").textContent));
    page.states = page.data.sections.map(() => ({}));
    draw();
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    console.error(error);
    document.getElementById("main").append(el("p", {class: "note"}, typeof DecompressionStream === "undefined"
      ? t("This browser is too old for the page: it needs one of 2023 or later.") : t("The page could not be drawn: {}", error.message)));
  }
})();
