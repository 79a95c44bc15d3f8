"""Random Dockerfiles over a random context: few names, so that what one step makes is what another one meets."""

import json
import random
import re
from typing import NamedTuple

from tests.peers.peers_random_context import NAMES, Context

GROUND = (
    "RUN mkdir -p /a/b /n/o /t /ssd && chmod 700 /a/b && chown 3:4 /t && chmod 1777 /ssd && echo 0 > /f0 "
    "&& echo 1 > /a/f && ln -s /t /to && ln -s ../n /a/up && ln -s gone /dangling && ln -s /f0 /a/to-f "
    "&& ln -s loop /loop && ln -s /made/here /later && echo hard > /n/one && ln /n/one /n/two && mkfifo /n/pipe "
    "&& chown 7:8 /n/one && touch -d @1400000000 /n/o /a/f && chmod 4755 /n/one && ln -s ../../../a /n/far "
    "&& echo app:x:1500:1600::/:/bin/sh >> /etc/passwd && echo staff:x:1700: >> /etc/group "
    "&& mkdir -p '/sp ace' /d/deep /e && echo d > /d/f && ln -s f /d/x.txt"
)
"""What every generated image begins with: directories, links, owners and accounts to run into."""

PLACES = (
    "/",
    ".",
    "./",
    "a",
    "/a",
    "/a/",
    "/a/b",
    "/a/b/",
    "/t",
    "/t/",
    "/t/x",
    "/to",
    "/to/",
    "/to/in",
    "/a/up/",
    "/new",
    "/new/",
    "/new/deep/er",
    "/new/deep/er/",
    "/dangling",
    "/dangling/",
    "/dangling/x",
    "/a/to-f",
    "/f0",
    "/f0/x",
    "/f0/",
    "/later",
    "/later/",
    "/n/far/",
    "/n/far/z",
    "../up",
    "/a/../t",
    "/a/.",
    "//a//b",
    "/loop/x",
    "/n/o",
    "/d",
    "/d/",
    "/e",
    "/ssd/sub/",
    "/n/one",
    "/n/two",
    "/n/pipe",
    "/d/x.txt",
    "/etc/",
    "$W/",
    "${W}x",
    "/a/./b/..",
    "/sp ace/",
    "/d/deep/",
    "/.",
    "/..",
    "/wh*re/",
)
STAGED = (
    "/a",
    "/n",
    "/n/one",
    "/n/two",
    "/to",
    "/a/up",
    "/a/to-f",
    "/t",
    "/d",
    "/mark",
    "/a/f",
    "/n/",
    "/n/o",
    "/dangling",
    "/loop",
    "/e",
    "/etc/passwd",
    "/n/pipe",
    "/a/b",
    "/d/x.txt",
    "/n/far/f",
    "/n/far",
)
OWNERS = ("5", "5:6", "app", "app:staff", "root:staff", ":9", "app:7", "0:1700", "root", "1500:staff", "65534:0")
CHANGES = ("755", "0600", "4711", "1777", "2750", "u=rwX,go=rX", "+x", "go-rwx", "a+X", "g=u", "u+s", "+t", "0", "o=")
EXCLUDES = ("*.txt", "**/f", "f", "d", "**", "!f", "d/*", "*", "**/.dot", "!**/g", "e/", "/f", "*/*")
STATES = (
    "mkdir -p {p} ; true",
    "rm -rf {p}x {q}",
    "rm -rf {q} && mkdir -p {q} && echo n > {q}/n",
    "ln -sfn {q} {p}l ; true",
    "chmod 750 {q} ; true",
    "chown 9:9 {q} ; true",
    "mv {q} /moved ; true",
    "touch -d @1300000000 {q} ; true",
    "echo app:x:1501:1601::/:/bin/sh > /etc/passwd",
    "rm -f /etc/group",
    "mv /a /a2 && mkdir /a && echo x > /a/x ; true",
    "rm -rf {q} && ln -s /n {q}",
    "rm -rf {q} && echo file > {q}",
    "cp -a /n/. {q}/ ; true",
    "cp -a {q}/f {q}/f-again ; true",
    "find {q} -exec chmod g+w '{{}}' + ; true",
    "echo more >> {q}/f ; true",
    "mknod {q}/dev c 1 3 ; true",
    "id > /who ; umask >> /who ; pwd >> /who ; env | grep -v -E '_CA|CERT|SSL|OTEL|TRACE|JAVA|CAINFO' | sort >> /who",
    "mkdir -p {q} && mkdir -m 2775 {q}/set && touch {q}/set/in ; true",
    "rm -rf /d/* ; true",
    "rmdir /e ; rm -rf /t/..?* ; true",
)
CONFIG = (
    "ENV W=/a",
    "ENV W=t V=$W",
    "ENV K 'two words'",
    "ARG W=/d",
    "ARG V",
    'LABEL a=b "c d"=$W',
    "USER app",
    "USER 1500:7",
    "USER root",
    "USER 9",
    "EXPOSE 80 9/udp",
    "VOLUME /t /v",
    'CMD ["x", "y"]',
    "CMD echo $W",
    'ENTRYPOINT ["e"]',
    "ENTRYPOINT run me",
    "HEALTHCHECK --interval=5s CMD true",
    "HEALTHCHECK NONE",
    'SHELL ["/bin/sh", "-ec"]',
    "STOPSIGNAL 9",
    "STOPSIGNAL SIGINT",
    "WORKDIR /a",
    "WORKDIR n/o",
    "WORKDIR /w/x/",
    "WORKDIR /to/here",
    "WORKDIR ..",
    "WORKDIR /dangling/y",
    "WORKDIR /later",
    "WORKDIR $W/in",
    "WORKDIR /f0/no",
    "ENV HOME=/h",
    "WORKDIR /",
    "MAINTAINER me",
    "CMD []",
)
SHOW = (
    'cd {at} 2>/dev/null && find . | sort | while read -r p; do if [ -d "$p" ] && [ ! -L "$p" ]; then '
    'stat -c "%n %F %a %u %g" "$p"; else stat -c "%n %F %a %u %g %Y %s" "$p"; readlink "$p"; fi; done '
    '| sed "s/ 1[789][0-9]....... / now /"'
)
"""Writes what lies somewhere, entry by entry; times of this build are all the same."""


class Dockerfile(NamedTuple):
    """The instructions, each one a piece that can be left out, and the build arguments."""

    lines: tuple[str, ...]
    arguments: tuple[str, ...] = ()

    def text(self, base: str) -> str:
        """As it is written to a file."""
        return "\n".join(self.lines).replace("{base}", base) + "\n"

    def line_of(self, number: int) -> int:
        """The index of the instruction that the line of this number (from 1) belongs to."""
        at = 0
        for index, line in enumerate(self.lines):
            at += line.count("\n") + 1
            if number <= at:
                return index
        return len(self.lines) - 1


class Writer:
    """Writes one Dockerfile. `mark` makes its here-documents its own; `modern` allows what came after 2022."""

    def __init__(self, chance: random.Random, context: Context, mark: str, modern: bool = True) -> None:
        self._chance = chance
        self._paths = context.paths() or ["f"]
        self._directories = context.paths("dir") or ["d"]
        self._mark = mark
        self._modern = modern
        self._record = 0

    def dockerfile(self) -> Dockerfile:
        """Two stages, the second of which builds on the context and on the first."""
        one, chance = self._chance, self._chance
        ground = f"{GROUND} && echo {self._mark} > /mark"
        lines = ["FROM {base} AS one", ground]
        lines += [self._step(False) for _ in range(one.randint(0, 4))]
        if chance.random() < 0.15:
            lines.append(
                "ONBUILD " + chance.choice(("RUN " + self._state(), *CONFIG)).replace("MAINTAINER me", "USER 4")
            )
        lines.append(
            chance.choice(("FROM {base} AS two", "FROM {base} AS two", "FROM one AS two", "FROM scratch AS two"))
        )
        scratch = lines[-1].startswith("FROM scratch")
        if lines[-1].startswith("FROM {base}"):
            lines.append(ground)
        for _ in range(chance.randint(3, 9)):
            step = self._step(True)
            if not (scratch and step.startswith("RUN")):
                lines.append(step)
        return Dockerfile(tuple(lines), ("V=given",) if chance.random() < 0.3 else ())

    def _step(self, second: bool) -> str:
        what = self._chance.random()
        if what < 0.62:
            return self._copy(second)
        if what < 0.76:
            return "RUN " + self._state()
        if what < 0.86:
            return self._mounting(second)
        return self._chance.choice(CONFIG)

    def _state(self) -> str:
        text = self._chance.choice(STATES)
        return text.format(p=self._inside(), q=self._inside())

    def _inside(self) -> str:
        return self._chance.choice(
            ("/a", "/a/b", "/t", "/n", "/n/o", "/d", "/d/deep", "/e", "/new", "/a/up", "/to", "/ssd")
        )

    def _copy(self, second: bool) -> str:
        chance = self._chance
        add = chance.random() < 0.3
        words: list[str] = []
        stage = not add and second and chance.random() < 0.3
        parents = self._modern and not add and chance.random() < 0.15
        if stage:
            words.append("--from=" + chance.choice(("one", "0", "One")))
        if chance.random() < 0.2 and (self._modern or not add):
            words.append("--chown=" + chance.choice(OWNERS))
        if self._modern and chance.random() < 0.2:
            words.append("--chmod=" + chance.choice(CHANGES))
        if self._modern and chance.random() < 0.15:
            words.append("--link" + chance.choice(("", "=false", "=true")))
        if parents:
            words.append("--parents")
        excluding = self._modern and chance.random() < 0.2
        if excluding:
            words += ["--exclude=" + chance.choice(EXCLUDES) for _ in range(chance.randint(1, 2))]
        chance.shuffle(words)
        name = "ADD" if add else "COPY"
        if self._modern and not stage and chance.random() < 0.08:
            return self._heredoc(name, words)
        sources = [self._source(stage, parents, not excluding) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        place = chance.choice(PLACES)
        if len(sources) > 1 and not place.endswith("/") and chance.random() < 0.7:
            place += "/"
        flags = " ".join([name, *words])
        if any(" " in word or word.startswith(("[", "<")) for word in (*sources, place)):
            return f"{flags} {json.dumps([*sources, place], ensure_ascii=False)}"
        return " ".join([flags, *sources, place])

    def _heredoc(self, name: str, words: list[str]) -> str:
        chance = self._chance
        mark = chance.choice(("<<E", '<<"E"', "<<-E", "<<x.txt"))
        end = mark.lstrip("<-").strip('"')
        place = chance.choice(PLACES).replace(" ", "")
        return " ".join([name, *words, mark, place]) + f"\n\t{self._mark} $W ${{V:-no}} \\$W\n{end}"

    def _source(self, stage: bool, parents: bool, wild: bool) -> str:
        chance = self._chance
        if stage:
            path = chance.choice((*STAGED, "/n/*") if wild else STAGED)
            if not self._modern and path == "/n/pipe":
                path = "/n/one"  # docker 20.10 does not copy named pipes
        else:
            path = chance.choice(self._paths)
            if chance.random() < 0.1:
                path = chance.choice(("to-d", "to-f", ".", "missing", "d", "f"))
        what = chance.random()
        if what < 0.22 and wild and not stage:
            path = self._wild(path)
        else:
            if not parents and " " not in path:
                path = re.sub(r"([*?\[])", r"\\\\\1", path)
            if what < 0.32:
                path = chance.choice(("/", "./") if parents or stage else ("/", "./", "../", "//", "d/../")) + path
            if what > 0.9:
                path += chance.choice(("/", "/.", "//"))
        if parents and chance.random() < 0.5:
            parts = path.split("/")
            cut = chance.randint(0, len(parts) - 1)
            path = "/".join([*parts[:cut], ".", *parts[cut:]])
        return path

    def _wild(self, path: str) -> str:
        chance = self._chance
        parts = path.split("/")
        index = chance.randrange(len(parts))
        parts[index] = chance.choice(
            ("*", "?", parts[index][:1] + "*", "[a-f]", "*.txt", "[^a]*", "**", "*" + parts[index][-1:])
        )
        return "/".join(parts)

    def _mounting(self, second: bool) -> str:
        chance = self._chance
        self._record += 1
        at = chance.choice(("/m", "/a/b", "/m/n/o", "/t", "/to", "/new/m", "rel", "/e", "/dangling/m", "/a/f"))
        rw = chance.choice(("", "", ",rw"))
        mounts = []
        if second and chance.random() < 0.3:
            source = chance.choice(("/n", "/a", "/n/one", "/to", "/d/f", "/a/up"))
            mounts.append(f"type=bind,from=one,source={source},target={at}{rw}")
        elif chance.random() < 0.6:
            source = chance.choice((*self._directories, *self._paths, "."))
            if source.isascii() and not any(c in source for c in ' ,"*?['):
                mounts.append(f"type=bind,source={source},target={at}{rw}")
        # Nothing can be mounted below what cannot be written to, nor below a file.
        at = f"{at}/in" if not mounts or (rw and mounts[0].split("source=")[1].partition(",")[0] == "/n") else "/beside"
        if chance.random() < 0.3:
            mounts.append(f"type=tmpfs,target={chance.choice((at, '/tmpfs', '/a'))}")
        if chance.random() < 0.3 or not mounts:
            options = chance.choice(("", ",mode=0700", ",uid=5,gid=6", ",sharing=private", ",ro"))
            identity = f"{self._mark}-{self._record}"
            mounts.append(
                f"type=cache,id={identity},target={chance.choice((at + '/cache', '/cache', '/n/o'))}{options}"
            )
        flags = " ".join(f"--mount={mount}" for mount in mounts)
        places = " ".join(part.split("target=")[1].split(",")[0] for part in mounts)
        show = SHOW.format(at="$i")
        touch = "touch $i/touched 2>/dev/null; " if chance.random() < 0.5 else ""
        return f"RUN {flags} mkdir -p /rec; for i in {places}; do {touch}({show}) >> /rec/{self._record}; done; true"


def random_dockerfile(chance: random.Random, context: Context, mark: str, modern: bool = True) -> Dockerfile:
    """A Dockerfile over a context, with names that are in it and names that are not."""
    return Writer(chance, context, mark, modern).dockerfile()


assert set("fg") <= set("".join(NAMES))
