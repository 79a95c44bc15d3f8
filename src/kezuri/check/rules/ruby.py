"""Images of Ruby: Bundler's groups, flags and lock file."""

import re
from collections.abc import Iterator

from kezuri.check.rule import Edit, Example, Finding, Fix, Rule
from kezuri.check.shipped_stage import Act, ShippedStage, shipped
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span

_TALLY = "https://github.com/wharflab/tally/blob/main/_docs/rules/tally/ruby"
_GEMS = "FROM ruby:3.3-slim\nENV RAILS_ENV=production\nWORKDIR /app\nCOPY Gemfile Gemfile.lock ./\n"


class BundlerDevelopmentGems(Rule):
    """Gems for development in an image for production."""

    name = "BundlerDevelopmentGems"
    summary = "bundle install in an image for production should leave the group development out"
    why = (
        "Bundler installs every group of the Gemfile: web-console, byebug, rspec. `ENV "
        "BUNDLE_WITHOUT=development:test` leaves them out, for every later call of bundle too. Only images that say "
        "that they are for production (`RAILS_ENV`, `RACK_ENV`) are meant, and no Gemfile that has no such group."
    )
    japanese = (
        "本番イメージの bundle install では development グループを除く",
        "Bundler は Gemfile のすべてのグループ（web-console、byebug、rspec など）を入れます。`ENV "
        "BUNDLE_WITHOUT=development:test` で除け、以降の bundle にも効きます。"
        "本番用と宣言しているイメージ（`RAILS_ENV`、`RACK_ENV`）だけを調べ、そのようなグループのない Gemfile "
        "は対象外です。",
    )
    fix_class = "V"
    bad = Example(f"{_GEMS}RUN bundle install\n")
    good = Example(f"{_GEMS}ENV BUNDLE_WITHOUT=development:test\nRUN bundle install\n")
    url = f"{_TALLY}/missing-bundle-without-development.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        if stage is None or not _production(stage):
            return
        around = subject.surroundings
        gemfile = around.read("Gemfile") if around is not None else None
        if gemfile is not None and not re.search(r"\bgroups?\b[^\n]*:development", gemfile):
            return
        configured = False
        for act in stage.acts(stage.taken):
            words = act.words
            if words[:2] == ("bundle", "config") and "without" in words and "development" in " ".join(words):
                configured = True
            if not _bundle_install(act) or configured:
                continue
            said = " ".join((act.set("BUNDLE_WITHOUT") or "", act.set("BUNDLE_ONLY") or "", *words))
            if "development" in said or "BUNDLE_ONLY" in act.variables or "$" in said:
                continue
            text = "bundler installs the gems of the group development into the image"
            line = "ENV BUNDLE_WITHOUT=development:test\n"
            start = act.run.node.span.start
            fix = Fix("leave development and test out", (Edit(Span(start, start), line),), "V")
            yield Finding(self, text, act.run.node, act.span(), fix, "set BUNDLE_WITHOUT=development:test before it")
            return


class BundlerDeploymentMissing(Rule):
    """Gems that are not those of the lock file."""

    name = "BundlerDeploymentMissing"
    summary = "bundle install in an image for production should keep to the lock file"
    why = (
        "Without `BUNDLE_DEPLOYMENT=1` (or `BUNDLE_FROZEN=1`) Bundler changes Gemfile.lock where it does not fit the "
        "Gemfile, and installs what nobody tested. With it the build ends."
    )
    japanese = (
        "本番イメージの bundle install は lock ファイルに従わせる",
        "`BUNDLE_DEPLOYMENT=1`（または `BUNDLE_FROZEN=1`）がないと、Gemfile と合わないとき Bundler は Gemfile.lock "
        "を書き換え、誰もテストしていないものを入れます。設定してあればビルドが止まります。",
    )
    severity = "info"
    bad = Example(f"{_GEMS}RUN bundle install\n")
    good = Example(f"{_GEMS}ENV BUNDLE_DEPLOYMENT=1\nRUN bundle install\n")
    url = f"{_TALLY}/missing-bundle-deployment.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        if stage is None or not _production(stage):
            return
        acts = tuple(stage.acts(stage.taken))
        if any(a.words[:2] == ("bundle", "config") and {"deployment", "frozen"} & set(a.words) for a in acts):
            return
        for act in acts:
            if _bundle_install(act) and not (act.set("BUNDLE_DEPLOYMENT") or act.set("BUNDLE_FROZEN")):
                if {"--deployment", "--frozen"} & set(act.words):
                    continue
                text = "bundler may install other versions than Gemfile.lock names"
                yield Finding(self, text, act.run.node, act.span(), hint="set BUNDLE_DEPLOYMENT=1 before it")
                return


class BundlerFlagDeprecated(Rule):
    """Flags that Bundler wants as settings."""

    name = "BundlerFlagDeprecated"
    summary = "--without, --deployment and --path of bundle install are deprecated"
    why = (
        "Bundler 2 warns of `--without`, `--deployment` and `--path`, which it remembers behind one's back, and newer "
        "ones do without them. `ENV BUNDLE_WITHOUT=…`, `BUNDLE_DEPLOYMENT=1` and `BUNDLE_PATH=…` say the same, to "
        "every call."
    )
    japanese = (
        "bundle install の --without、--deployment、--path は非推奨",
        "Bundler 2 は `--without`・`--deployment`・`--path` に警告を出します（暗黙に記憶されるためです）。"
        "新しい版ではなくなります。`ENV BUNDLE_WITHOUT=…`、`BUNDLE_DEPLOYMENT=1`、`BUNDLE_PATH=…` "
        "なら同じことをすべての呼び出しに伝えられます。",
    )
    severity = "info"
    bad = Example("FROM ruby:3.3-slim\nRUN bundle install --without development\n")
    good = Example("FROM ruby:3.3-slim\nENV BUNDLE_WITHOUT=development\nRUN bundle install\n")
    url = f"{_TALLY}/deprecated-bundler-install-flags.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        for act in stage.acts(stage.taken) if stage is not None else ():
            for word in act.command.arguments if _bundle_install(act) else ():
                flag = word.loose.partition("=")[0]
                if flag in ("--without", "--deployment", "--path"):
                    text = f"bundler warns of {flag}: it is deprecated"
                    setting = f"BUNDLE_{flag[2:].upper()}"
                    yield Finding(self, text, act.run.node, act.span(word), hint=f"set {setting} by ENV instead")


class BundlerInstalledAgain(Rule):
    """A gem that the image has."""

    name = "BundlerInstalledAgain"
    summary = "The official Ruby images have Bundler"
    why = (
        "`gem install bundler` in an image of `ruby` downloads what is there, in whatever version is newest that day. "
        "Bundler itself switches to the version that Gemfile.lock names."
    )
    japanese = (
        "公式の Ruby イメージには Bundler が入っている",
        "`ruby` のイメージで `gem install bundler` をすると、すでにあるものを、その日の最新版でダウンロードし直します。"
        "Bundler は Gemfile.lock にある版へ自分で切り替わります。",
    )
    severity = "info"
    bad = Example("FROM ruby:3.3-slim\nRUN gem install bundler\n")
    good = Example("FROM ruby:3.3-slim\nRUN bundle --version\n")
    url = f"{_TALLY}/redundant-bundler-install.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        if stage is None or stage.official != "ruby":
            return
        for act in stage.acts():
            words = act.words
            if words[:2] != ("gem", "install") or {"-v", "--version"} & set(words):
                continue
            word = next((word for word in act.command.arguments if word.loose == "bundler"), None)
            if word is not None and not any(w.startswith(("-v", "--version=")) for w in words):
                text = "bundler is in the image already"
                yield Finding(self, text, act.run.node, act.span(word), hint="leave it out")


def _bundle_install(act: Act) -> bool:
    words = act.words
    if not words or words[0].rpartition("/")[2] not in ("bundle", "bundler"):
        return False
    plain = [word for word in words[1:] if not word.startswith(("-", "_"))]
    return plain[:1] == ["install"] or words[1:] == ()


def _production(stage: ShippedStage) -> bool:
    variables = stage.variables
    return "production" in (variables.get("RAILS_ENV"), variables.get("RACK_ENV"))


RULES = (BundlerDevelopmentGems(), BundlerDeploymentMissing(), BundlerFlagDeprecated(), BundlerInstalledAgain())
