"""Images of Ruby servers: Rails' assets, the allocator, the compiler."""

import re
from collections.abc import Iterator

from kezuri.check.rule import Edit, Example, Finding, Fix, Rule
from kezuri.check.shipped_stage import ShippedStage, shipped
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span

_TALLY = "https://github.com/wharflab/tally/blob/main/_docs/rules/tally/ruby"
_SERVERS = re.compile(r"(?<![\w-])(?:rails|puma|unicorn|thrust|rackup|sidekiq|falcon|thin|passenger|iodine)(?![\w-])")


class AssetsNeedSecretKey(Rule):
    """Assets that are compiled with the application's secret."""

    name = "AssetsNeedSecretKey"
    summary = "assets:precompile in a build should use SECRET_KEY_BASE_DUMMY"
    why = (
        "Rails wants its secret in production, also to compile assets. Since 7.1 `SECRET_KEY_BASE_DUMMY=1` spares it; "
        "without, the master key is copied or given as an argument sooner or later, and stays in the image. Where the "
        "real one is needed, `RUN --mount=type=secret,id=…,env=RAILS_MASTER_KEY` shows it to that step only."
    )
    japanese = (
        "ビルドでの assets:precompile には SECRET_KEY_BASE_DUMMY を使う",
        "Rails は production ではアセットのコンパイルにもシークレットを要求します。7.1 からは "
        "`SECRET_KEY_BASE_DUMMY=1` で不要になります。使わないと、いずれマスターキーをコピーするか引数で渡すことになり、"
        "イメージに残ります。本物が必要なら `RUN --mount=type=secret,id=…,env=RAILS_MASTER_KEY` "
        "でそのステップにだけ見せます。",
    )
    severity = "info"
    fix_class = "V"
    bad = Example("FROM ruby:3.3-slim\nENV RAILS_ENV=production\nCOPY . .\nRUN bin/rails assets:precompile\n")
    good = Example(bad.text.replace("RUN ", "RUN SECRET_KEY_BASE_DUMMY=1 "))
    url = f"{_TALLY}/asset-precompile-without-dummy-key.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        for act in stage.acts(stage.taken) if stage is not None else ():
            if "assets:precompile" not in act.words or act.run.mounts:
                continue
            names = ("SECRET_KEY_BASE_DUMMY", "SECRET_KEY_BASE", "RAILS_MASTER_KEY")
            whole = act.text.script.text
            if any(act.set(name) is not None or name in whole for name in names):
                continue
            environment = act.set("RAILS_ENV") or act.set("RACK_ENV") or ""
            if environment != "production" and "RAILS_ENV=production" not in act.words:
                continue
            text = "Rails asks for its secret here, and a build should not have it"
            start = act.span().start
            fix = Fix("give it a dummy", (Edit(Span(start, start), "SECRET_KEY_BASE_DUMMY=1 "),), "V")
            yield Finding(self, text, act.run.node, act.span(), fix, "set SECRET_KEY_BASE_DUMMY=1 for this command")


class BootsnapInParallel(Rule):
    """A compiler that emulators do not survive."""

    name = "BootsnapInParallel"
    summary = "bootsnap precompile in an image for several platforms needs -j 1"
    why = (
        "Bootsnap forks one process for each processor, which ends in a crash or hangs where QEMU runs them "
        "(bootsnap#495). Rails' own template has `-j 1` since 7.1. A build for the machine's own platform is not "
        "concerned, which is why this is no warning."
    )
    japanese = (
        "複数プラットフォーム向けイメージの bootsnap precompile には -j 1 が要る",
        "Bootsnap はプロセッサごとにプロセスを fork し、QEMU の下ではクラッシュするか固まります（bootsnap#495）。Rails "
        "のテンプレートには 7.1 から `-j 1` があります。自分のマシンと同じプラットフォームなら問題ないので、"
        "警告にはしません。",
    )
    severity = "info"
    fix_class = "V"
    bad = Example("FROM ruby:3.3-slim\nRUN bundle exec bootsnap precompile app/ lib/\n")
    good = Example("FROM ruby:3.3-slim\nRUN bundle exec bootsnap precompile -j 1 app/ lib/\n")
    url = f"{_TALLY}/bootsnap-precompile-without-j1.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        for act in stage.acts(stage.taken) if stage is not None else ():
            words = act.command.words
            at = next(
                (n for n, w in enumerate(words) if w.loose == "precompile" and n and _is_bootsnap(words[n - 1].loose)),
                None,
            )
            if at is None or any(re.match(r"(?:-j|--jobs)(?:\d|=|$)", word.loose) for word in words):
                continue
            end = act.span(words[at]).end
            fix = Fix("compile one after the other: -j 1", (Edit(Span(end, end), " -j 1"),), "V")
            text = "bootsnap compiles in parallel, which does not survive emulation"
            yield Finding(self, text, act.run.node, act.span(), fix, "add -j 1")


class JemallocNotLoaded(Rule):
    """An allocator that nobody uses."""

    name = "JemallocNotLoaded"
    summary = "jemalloc must be loaded to be of use"
    why = (
        "The package puts a library on the disk; Ruby uses it where `LD_PRELOAD` names it, or where it was built with "
        "it. An entry script may do so: where one is started that cannot be read here, nothing is said."
    )
    japanese = (
        "jemalloc は読み込まないと意味がない",
        "パッケージはライブラリをディスクに置くだけです。Ruby が使うのは、`LD_PRELOAD` で指定したときか、"
        "それを使ってビルドされたときです。エントリスクリプトが設定することもあるため、"
        "ここで読めないスクリプトを起動する場合は何も言いません。",
    )
    severity = "info"
    bad = Example(
        'FROM ruby:3.3-slim\nRUN apt-get update && apt-get install -y libjemalloc2\nCMD ["bin/rails", "server"]\n'
    )
    good = Example(bad.text.replace("CMD", "ENV LD_PRELOAD=libjemalloc.so.2\nCMD"))
    url = f"{_TALLY}/jemalloc-installed-but-not-preloaded.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        if stage is None or not _ruby(stage):
            return
        loaded = stage.variables
        if "jemalloc" in loaded.get("LD_PRELOAD", "") or "MALLOC_CONF" in loaded or stage.mentions("--with-jemalloc"):
            return
        started = stage.started()
        if "jemalloc" in started or re.search(r"entrypoint|\.sh\b|s6|/init\b", started):
            return
        for act in stage.acts():
            if not {"install", "add"} & set(act.words):
                continue
            for word in act.command.arguments:
                if re.match(r"(?:lib)?jemalloc[\w.-]*(?:=|$)", word.loose):
                    text = "jemalloc is installed, and nothing loads it"
                    hint = "set LD_PRELOAD to its library, or leave it out"
                    yield Finding(self, text, act.run.node, act.span(word), hint=hint)
                    return


class YjitNotEnabled(Rule):
    """A compiler that is there and sleeps."""

    name = "YjitNotEnabled"
    summary = "A Ruby server should run with YJIT"
    why = (
        "YJIT has been ready for production since Ruby 3.3 and is off unless `RUBY_YJIT_ENABLE=1` or `--yjit` says "
        "otherwise. Servers gain a good part of their time, for some memory. Rails 7.2 switches it on by itself: where "
        "the lock file says so, nothing is said."
    )
    japanese = (
        "Ruby のサーバーでは YJIT を有効にする",
        "YJIT は Ruby 3.3 から本番で使えますが、`RUBY_YJIT_ENABLE=1` か `--yjit` がなければ無効です。"
        "いくらかのメモリと引き換えに、サーバーはかなり速くなります。Rails 7.2 は自分で有効にするため、lock "
        "ファイルから分かる場合は何も言いません。",
    )
    severity = "style"
    fix_class = "V"
    bad = Example('FROM ruby:3.3-slim\nCOPY . .\nCMD ["bin/rails", "server"]\n')
    good = Example('FROM ruby:3.3-slim\nENV RUBY_YJIT_ENABLE=1\nCOPY . .\nCMD ["bin/rails", "server"]\n')
    url = f"{_TALLY}/yjit-not-enabled-on-supported-runtime.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        if stage is None or stage.official != "ruby" or stage.version < (3, 3):
            return
        if not _SERVERS.search(stage.started()) or stage.mentions("yjit"):
            return
        around = subject.surroundings
        lock = around.read("Gemfile.lock") if around is not None else None
        found = re.search(r"^    rails \((\d+)\.(\d+)", lock or "", re.MULTILINE)
        if found is not None and (int(found[1]), int(found[2])) >= (7, 2):
            return
        fix = None
        at = stage.behind_from()
        if subject.dockerfile.source.text[: at.start].endswith("\n"):
            fix = Fix("enable it", (Edit(at, "ENV RUBY_YJIT_ENABLE=1\n"),), "V")
        text = "Ruby runs without its compiler: YJIT is off"
        yield Finding(self, text, stage.stages[0].start.node, fix=fix, hint="set RUBY_YJIT_ENABLE=1")


def _is_bootsnap(word: str) -> bool:
    return word.rpartition("/")[2] == "bootsnap"


def _ruby(stage: ShippedStage) -> bool:
    names = stage.variables
    return stage.official == "ruby" or "ruby" in stage.image or any(n in names for n in ("RAILS_ENV", "RACK_ENV"))


RULES = (AssetsNeedSecretKey(), BootsnapInParallel(), JemallocNotLoaded(), YjitNotEnabled())
