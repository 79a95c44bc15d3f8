"""Images of PHP: what belongs to development, and what makes the interpreter fast."""

import re
from collections.abc import Iterator

from kezuri.check.rule import Edit, Example, Finding, Fix, Level, Rule
from kezuri.check.shipped_stage import Act, shipped
from kezuri.check.subject import Subject

_TALLY = "https://github.com/wharflab/tally/blob/main/_docs/rules/tally/php"


class ComposerDevelopmentPackages(Rule):
    """Packages of require-dev in an image for production."""

    name = "ComposerDevelopmentPackages"
    summary = "composer install in an image for production should leave development packages out"
    why = (
        "`composer install` brings what `require-dev` names: PHPUnit, debuggers, profilers, some of which answer over "
        "HTTP (CVE-2017-9841 was such a one). `--no-dev`, or `COMPOSER_NO_DEV=1`, leaves them out. Stages whose name "
        "says that they are for development or tests are not meant, nor is a composer.json without `require-dev`. It "
        "is a warning where the file says that the image is for production (`APP_ENV`, php.ini-production, a name)."
    )
    japanese = (
        "本番イメージの composer install では開発用パッケージを除く",
        "`composer install` は `require-dev` のもの（PHPUnit、デバッガ、プロファイラなど）も入れます。HTTP "
        "で応答してしまうものもあります（CVE-2017-9841）。`--no-dev` か `COMPOSER_NO_DEV=1` で除けます。"
        "名前から開発用・テスト用と分かるステージと、`require-dev` のない composer.json は対象外です。"
        "ファイルが本番用と示している場合（`APP_ENV`、php.ini-production、名前）は警告にします。",
    )
    fix_class = "V"
    bad = Example("FROM php:8.4-fpm\nWORKDIR /app\nCOPY composer.json composer.lock ./\nRUN composer install\n")
    good = Example(bad.text.replace("composer install", "composer install --no-dev"))
    url = f"{_TALLY}/composer-no-dev-in-production.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        if stage is None or not _has_development(subject):
            return
        installs = [act for act in stage.acts(stage.taken) if _composer_install(act)]
        if not installs:
            return
        last = installs[-1]
        words = [word.loose for word in last.command.words]
        variable = (last.set("COMPOSER_NO_DEV") or "0").strip("\"'")
        if "--no-dev" in words or variable not in ("", "0") or any("$" in word for word in words[1:]):
            return
        word = next(word for word in last.command.words if word.loose in ("install", "i"))
        end = last.span(word).end
        fix = Fix("leave them out: --no-dev", (Edit(last.span(word)._replace(start=end), " --no-dev"),), "V")
        text = "composer installs the packages of require-dev into the image"
        level: Level = "warning" if stage.production else "info"
        yield Finding(self, text, last.run.node, last.span(), fix, "add --no-dev", level=level)


class XdebugShipped(Rule):
    """A debugger in an image for production."""

    name = "XdebugShipped"
    summary = "Xdebug should not be in an image for production"
    why = (
        "Xdebug makes every request slower also when nobody debugs, and waits for whoever connects to it. It belongs "
        "into a stage of its own (`FROM app AS dev`), which nobody ships. It is a warning where the file says that the "
        "image is for production."
    )
    japanese = (
        "本番イメージに Xdebug を入れない",
        "Xdebug は誰もデバッグしていなくてもすべてのリクエストを遅くし、接続してくる相手を待ち受けます。"
        "配布しない専用のステージ（`FROM app AS dev`）に入れてください。"
        "ファイルが本番用と示している場合は警告にします。",
    )
    bad = Example("FROM php:8.4-fpm\nRUN pecl install xdebug && docker-php-ext-enable xdebug\n")
    good = Example(f"FROM php:8.4-fpm AS app\nFROM app AS dev\n{bad.text.partition(chr(10))[2]}FROM app\n")
    url = f"{_TALLY}/no-xdebug-in-final-image.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        for act in stage.acts() if stage is not None else ():
            if "branch" in act.command.within:
                continue  # `if [ "$APP_ENV" = dev ]`
            for word in act.command.arguments:
                if re.match(r"(?:php[\w.]*-)?(?:pecl-)?xdebug(?:$|[-=])", word.loose) and _installs(act):
                    text = "Xdebug is installed in the image that is shipped"
                    level: Level = "warning" if stage is not None and stage.production else "info"
                    hint = "move it into a stage for development"
                    yield Finding(self, text, act.run.node, act.span(word), hint=hint, level=level)
                    return


class OpcacheMissing(Rule):
    """A server that reads its scripts anew for each request."""

    name = "OpcacheMissing"
    summary = "A PHP server should have OPcache"
    why = (
        "Without OPcache PHP parses and compiles every script for every request. The official images come without it "
        "up to PHP 8.4: `docker-php-ext-install opcache` builds and enables it. From 8.5 on it is a part of PHP."
    )
    japanese = (
        "PHP のサーバーでは OPcache を使う",
        "OPcache がないと、PHP はリクエストのたびにすべてのスクリプトを解析・コンパイルします。公式イメージには PHP "
        "8.4 まで入っていないので、`docker-php-ext-install opcache` でビルドして有効にします。8.5 からは PHP "
        "の一部です。",
    )
    severity = "info"
    fix_class = "V"
    bad = Example("FROM php:8.3-fpm\nCOPY . /var/www/html\n")
    good = Example("FROM php:8.3-fpm\nRUN docker-php-ext-install opcache\nCOPY . /var/www/html\n")
    url = f"{_TALLY}/enable-opcache-in-production.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        if stage is None or stage.official != "php" or not stage.version or stage.version >= (8, 5):
            return
        if not ("fpm" in stage.tag or "apache" in stage.tag) or len(stage.version) < 2:
            return
        if stage.mentions("opcache", "install-php-extensions"):
            return
        around = subject.surroundings
        if around is not None and any("opcache" in name for name in around.names()):
            return
        text = "PHP compiles every script again for every request: OPcache is not there"
        node = stage.stages[0].start.node
        fix = None
        if subject.dockerfile.source.text[: stage.behind_from().start].endswith("\n"):
            line = "RUN docker-php-ext-install opcache\n"
            fix = Fix("install it", (Edit(stage.behind_from(), line),), "V")
        yield Finding(self, text, node, fix=fix, hint="add RUN docker-php-ext-install opcache")


def _composer_install(act: Act) -> bool:
    words = [word.rpartition("/")[2] for word in act.words]
    if words[:1] == ["php"]:
        words = words[1:]
    plain = [word for word in words[1:] if not word.startswith("-")]
    return bool(words) and words[0] in ("composer", "composer.phar") and plain[:1] in (["install"], ["i"])


def _has_development(subject: Subject) -> bool:
    """Whether the project may have packages for development."""
    text = subject.surroundings.read("composer.json") if subject.surroundings is not None else None
    return text is None or '"require-dev"' in text


def _installs(act: Act) -> bool:
    words = act.words
    program = words[0].rpartition("/")[2] if words else ""
    if program in ("docker-php-ext-install", "docker-php-ext-enable", "install-php-extensions"):
        return True
    return program in ("pecl", "pie", "apt-get", "apt", "apk", "dnf", "yum", "microdnf") and bool(
        {"install", "add"} & set(words)
    )


RULES = (ComposerDevelopmentPackages(), XdebugShipped(), OpcacheMissing())
