"""The Dockerfiles that are compared, the context that they copy from, and the differences that are meant."""

import gzip
import io
import lzma
import os
import stat
import tarfile
from collections.abc import Callable
from typing import NamedTuple

PAST = 1_600_000_000


class Case(NamedTuple):
    """One Dockerfile. `{base}` stands for the base image."""

    name: str
    text: str
    buildah: bool = True
    """Whether buildah's classic dialect has the same meaning there."""
    equal: str = ""
    """What the peers build instead, where they are too old for the syntax: the same image in older words. Its history
    is not compared."""
    arguments: tuple[str, ...] = ()
    docker: bool = True
    """Whether docker 20.10 has the same meaning there."""


CASES = [
    Case(
        "copy-directories",
        "FROM scratch\nCOPY d /a\nCOPY d/ /b/\nCOPY d /c/new/deep\nCOPY d2 /a\nCOPY void /v\nCOPY d/sub d2 /merged/\n",
    ),
    Case(
        "copy-files",
        "FROM scratch\nCOPY f /one\nCOPY f g /many/\nCOPY f /many\nCOPY f /deep/er/est/name\nCOPY run.sh secret /\n"
        'COPY ["sp ace", "/sp ace/"]\nCOPY /f /rooted\nCOPY ../f /up\nCOPY set-id sticky /s/\n',
    ),
    Case("copy-wildcards", "FROM scratch\nCOPY ? /one/\nCOPY d/[x] /two\nCOPY d* /dirs/\nCOPY *.sh secre? /w/\n"),
    Case(
        "copy-source-links", "FROM scratch\nCOPY to-d /followed/\nCOPY to-f /f\nCOPY links /links\nCOPY to-f /into/\n"
    ),
    Case(
        "copy-onto-links",
        "FROM {base}\nRUN mkdir -p /real/sub && ln -s /real /to && ln -s ../real/sub /real/up && ln -s gone /dangling\n"
        "COPY f /to/\nCOPY d /to/up\nCOPY g /to/up/inside\nCOPY d /to\n",
    ),
    Case("copy-over-link", "FROM {base}\nRUN mkdir /t && ln -s f /t/x && echo f > /t/f\nCOPY d /t\n"),
    Case(
        "copy-chown",
        "FROM {base}\nRUN echo app:x:1500:1600::/:/bin/sh >> /etc/passwd; echo staff:x:1700: >> /etc/group\n"
        "COPY --chown=5:6 d /a\nCOPY --chown=7 f /b/new/f\nCOPY --chown=app d /c\nCOPY --chown=app:staff f /d\n"
        "COPY --chown=root:staff f /e\n",
    ),
    Case(
        "copy-chmod",
        "FROM scratch\nCOPY --chmod=751 d /a\nCOPY --chmod=4755 f /b\nCOPY --chmod=0600 run.sh /c/new/\n"
        "COPY --chmod=640 --chown=1:2 d /e\n",
    ),
    Case(
        "copy-existing-directory",
        "FROM {base}\nRUN mkdir -m 700 /t /t/sub && chown 3:4 /t /t/sub\nCOPY d /t\nCOPY f /t\n",
    ),
    Case("copy-all", "FROM scratch\nCOPY . /\n"),
    Case("copy-ignored", "FROM scratch\nCOPY d /d\nCOPY ignored* /i/\nCOPY tree /tree\n"),
    Case(
        "copy-from",
        "FROM {base} AS a\nRUN mkdir -p /o/sub && echo one > /o/x && ln /o/x /o/y && ln -s x /o/l && ln -s /o/sub /o/s "
        "&& mkfifo /o/p && chown 11:12 /o/x && chmod 2750 /o/sub && ln -s /o /link && touch -d @1500000000 /o/x\n"
        "FROM scratch\nCOPY --from=a /o /whole\nCOPY --from=0 /o/x /o/y /files/\nCOPY --from=A /link /through\n"
        "COPY --from=a /link/l /last\nCOPY --from=a --chown=1:1 /o /owned\nCOPY --from=a /o/s/ /s\n",
        buildah=False,
    ),
    Case(
        "copy-from-removed",
        "FROM {base} AS a\nCOPY tree /t\nRUN rm -r /t/a && rm -rf /t/b && mkdir /t/b && touch /t/b/new\n"
        "RUN mv /t/c /t/k\nFROM a AS b\nRUN rm /t/f1 && ln -s k /t/a\nFROM scratch\nCOPY --from=b /t /t\n"
        "COPY --from=b /t/a /through/\n",
    ),
    Case("copy-attributes", "FROM scratch AS a\nCOPY able /x/\nFROM scratch\nCOPY able /\nCOPY --from=a /x /y\n"),
    Case(
        "add-archive-over",
        "FROM {base}\nRUN mkdir -p /a/top/link && ln -s /real /a/no && mkdir /real\nADD plain.tar /a/no\n",
    ),
    Case(
        "copy-group-alone",
        "FROM scratch\nCOPY --chown=:9 f /f\nCOPY --chown=7: f /g\nCOPY --chown=: f /h\n",
        buildah=False,
        docker=False,
    ),
    Case(
        "set-group-id",
        "FROM {base}\nRUN mkdir /s && chown 7:8 /s && chmod 2775 /s\nWORKDIR /s/a/b\nCOPY f /s/c/d/\n"
        "COPY --chown=3:4 f /s/e/f\nCOPY --chmod=700 f /s/g/h\nCOPY d /s/i/j\nCOPY --parents d/sub/y /s/k/\n"
        "COPY <<E /s/l/m\nE\nADD plain.tar /s/n/o/\nUSER 5:6\nWORKDIR /s/p/q\n",
        buildah=False,
        docker=False,
    ),
    Case(
        "excludes-leave-nothing",
        "FROM {base}\nCOPY --exclude=* d /x/y\nCOPY --exclude=* d /z/y/\nCOPY --link --exclude=** d /l\n",
        buildah=False,
        docker=False,
    ),
    Case(
        "parents",
        "FROM {base}\nCOPY --parents d/./sub/y links/hard /a/\nCOPY --parents tree/[ab]/./deep/*2 /b/\n"
        "COPY --parents tree/**/keep /c/\nCOPY --parents --exclude=**/f2 tree/a /d/\n",
        buildah=False,
        docker=False,
    ),
    Case("empty-commands", "FROM {base}\nRUN\nRUN $NOTHING\n", buildah=False, docker=False),
    Case(
        "epoch-by-default",
        "ARG T=1000000000\nARG SOURCE_DATE_EPOCH=$T\nFROM {base}\nWORKDIR /dated\n",
        buildah=False,
        docker=False,
    ),
    Case(
        "workdir",
        "FROM {base}\nRUN mkdir -m 700 /there\nWORKDIR /a/b\nWORKDIR c\nRUN pwd > where\nUSER 1000:1001\nWORKDIR /u/v\n"
        "WORKDIR /there\nUSER 1002\nWORKDIR /w/x/\nENV D=/env\nWORKDIR $D/sub\nWORKDIR /\nCOPY f rel/f\n",
        buildah=False,
    ),
    Case(
        "variables",
        'ARG GLOBAL=g\nFROM {base}\nARG GLOBAL\nARG A=1\nARG B\nARG C=$A-c\nENV X=x Y="a b" Z=${A:-no}\n'
        "ENV OLD old way here\n"
        'ENV X=y W=$X\nLABEL l1=$A l2=\'$A\' "l 3"="v $X"\nRUN echo "$GLOBAL $A $B $C $X $W" > /out\nARG A=2\n'
        "RUN echo $A >> /out\nENV A=env\nRUN echo $A >> /out\nCOPY f /$X/${W}_${N:-n}${X:+p}\n"
        'ENV ESC=\\$X QUOTED="\\"q\\""\n',
        arguments=("B=given", "A=outside", "UNKNOWN=1"),
        buildah=False,
    ),
    Case("command-after-entrypoint", 'FROM {base}\nCMD ["a", "b"]\nENTRYPOINT ["e", "f g"]\n'),
    Case("entrypoint-clears-command", 'FROM {base} AS a\nCMD ["a"]\nFROM a\nENTRYPOINT echo "hi"\n', buildah=False),
    Case("shell-forms", 'FROM {base}\nSHELL ["/bin/sh", "-ec"]\nRUN echo a > /f\nCMD echo  two\nENTRYPOINT []\n'),
    Case(
        "exec-forms",
        'FROM {base}\nRUN ["/bin/sh", "-c", "echo \\"$0\\" > /f", "zero"]\nCMD [ "x" , "y\\tz" ]\n'
        "RUN [not json\\\n || true\n",
    ),
    Case(
        "metadata",
        'FROM {base}\nMAINTAINER some one <a@b>\nEXPOSE 80 443/tcp 53/udp 7000-7002\nVOLUME /v1 /v2\nVOLUME ["/v 3"]\n'
        "STOPSIGNAL SIGINT\nUSER nobody:1\n"
        "HEALTHCHECK --interval=5s --timeout=1m --retries=3 --start-period=2s CMD test -f /f\n"
        'LABEL a=b c="d e" \\\n  f=g\n',
        buildah=False,
    ),
    Case("health-none", 'FROM {base}\nHEALTHCHECK CMD ["true", "x"]\nHEALTHCHECK NONE\nSTOPSIGNAL 9\n', buildah=False),
    Case(
        "onbuild",
        "FROM {base} AS a\nONBUILD ENV FROM_PARENT=1\nONBUILD RUN echo $FROM_PARENT > /made\n"
        'ONBUILD COPY f /copied\nCMD ["x"]\n'
        "FROM a\nRUN cat /made > /read\n",
        buildah=False,
    ),
    Case("onbuild-kept", "FROM {base}\nONBUILD RUN echo hi\nONBUILD   WORKDIR   /x\n", buildah=False),
    Case(
        "volume-is-written",
        "FROM {base}\nRUN mkdir /v && echo a > /v/a\nVOLUME /v\nRUN echo b > /v/b\nCOPY f /v/f\n",
        buildah=False,
    ),
    Case(
        "add-archives",
        "FROM scratch\nADD plain.tar /a\nADD packed.tar.gz /b/\nADD misnamed /c\n"
        "ADD --chown=3:4 plain.tar /d\nCOPY plain.tar /e/\n"
        "ADD d /f\nADD f /g/\n",
    ),
    Case(
        "removals",
        "FROM {base}\nCOPY tree /t\nRUN rm -r /t/a /t/f1\nRUN rm -rf /t/b && mkdir /t/b && echo new > /t/b/new\n"
        "RUN mv /t/c /t/moved\nRUN rm -rf /t/d && echo file > /t/d\nRUN rm /t/e/l && mkdir /t/e/l && touch /t/e/l/x\n"
        "COPY f /t/a\nRUN rm /etc/passwd && chmod 711 /t\n",
    ),
    Case(
        "run-files",
        "FROM {base}\n"
        "RUN umask > /umask; id > /id; pwd > /pwd; hostname > /host; env | grep -v HOSTNAME | sort > /env\n"
        "RUN mknod /pipe p; ln /id /id2; touch -d @1400000000 /old; chmod 6755 /id; mkdir -m 1777 /sticky\n"
        "RUN rm -f /etc/hosts; true\nRUN --mount=type=tmpfs,target=/tt touch /tt/x\n"
        "RUN --mount=type=cache,target=/deep/cache touch /deep/cache/x\n"
        "RUN --mount=target=/ctx cat /ctx/f > /fromctx\n",
        buildah=False,
    ),
    Case(
        "run-user",
        "FROM {base}\nUSER 1000\nRUN id > /tmp/id; touch /tmp/mine\nUSER 1000:50\nRUN id > /tmp/id2\n"
        "USER nobody\nRUN id > /tmp/id3\nENV HOME=/x\nRUN echo $HOME > /tmp/home\n",
        buildah=False,
    ),
    Case(
        "run-home",
        "FROM {base}\nRUN echo $HOME $PATH $USER > /out\nUSER 1000\nRUN echo $HOME > /tmp/out\n",
        buildah=False,
    ),
    Case(
        "comments",
        "FROM {base}\n# c\nRUN echo a \\\n  # inside\n  && echo b > /f\\\n\n  ; echo '# data' >> /f\n"
        "  RUN   echo   spaces   >   /g\n",
        buildah=False,
    ),
    Case(
        "stages",
        "FROM {base} AS base\nENV S=1\nWORKDIR /w\nFROM base AS left\nRUN echo l > l\nFROM base AS right\n"
        "RUN echo r > r\nFROM base\nCOPY --from=left /w/l .\nCOPY --from=right /w/r ./\n"
        "RUN cat l r > all\nCMD cat all\n",
        buildah=False,
    ),
    Case(
        "heredocs",
        'FROM {base}\nARG V=1\nCOPY <<one <<"two" /h/\nv=$V ${V}\none\nv=$V\ntwo\nRUN <<E\nset -e\n'
        "echo a > /a\necho $V > /b\nE\n"
        "COPY <<-name /single\n\ttabs\n\tname\n",
        equal="FROM {base}\nARG V=1\nCOPY h/ /h/\nRUN echo a > /a; echo $V > /b\nCOPY single /single\n",
    ),
    Case(
        "copy-chmod-symbolic",
        "FROM scratch\nCOPY --chmod=u=rwX,go=X h /a\nCOPY --chmod=+x f /b\nCOPY --chmod=go-r f /c\n",
        equal="FROM scratch\nCOPY --chmod=600 h/one h/two /a/\nCOPY --chmod=755 f /b\nCOPY --chmod=600 f /c\n",
    ),
]


def make_context(directory: str) -> None:
    """Files, directories, links and archives to copy, all of the same age but for one."""
    files = {
        "f": "f\n",
        "g": "gg\n",
        "run.sh": "#!/bin/sh\necho ran\n",
        "secret": "s\n",
        "set-id": "s\n",
        "sp ace": "space\n",
        "d/x": "x\n",
        "d/sub/y": "y\n",
        "d2/sub/y": "other\n",
        "d2/sub/z": "z\n",
        "links/target": "t\n",
        "links/hard": "h\n",
        "sticky/s": "s\n",
        "ignored-file": "i\n",
        "h/one": "v=1 1\n",
        "h/two": "v=$V\n",
        "single": "tabs\n",
        "able": "may bind low ports\n",
        "tree/.skip/x": "x\n",
        **{f"tree/{d}/{f}": f"{d}{f}\n" for d in "abcd" for f in ("f1", "deep/f2")},
        "tree/f1": "f1\n",
        "tree/e/keep": "k\n",
        "tree/b/skipped.log": "l\n",
    }
    for path, text in files.items():
        os.makedirs(os.path.dirname(f"{directory}/{path}"), exist_ok=True)
        with open(f"{directory}/{path}", "w") as file:
            file.write(text)
        os.chmod(f"{directory}/{path}", 0o644)
    for path, target in {
        "d/l": "x",
        "to-d": "d",
        "to-f": "d/../f",
        "links/relative": "target",
        "links/absolute": "/links/target",
        "links/dangling": "nowhere",
        "links/out": "../../../etc/passwd",
        "tree/e/l": "keep",
    }.items():
        os.symlink(target, f"{directory}/{path}")
    os.link(f"{directory}/links/hard", f"{directory}/links/hard2")
    os.mkdir(f"{directory}/void")
    for path, mode in {"run.sh": 0o755, "secret": 0o600, "set-id": 0o4755, "sticky": 0o1777, "d/sub": 0o700}.items():
        os.chmod(f"{directory}/{path}", mode)
    for name, pack in (("plain.tar", bytes), ("packed.tar.gz", _gzipped), ("misnamed", lzma.compress)):
        _archive(f"{directory}/{name}", pack)
    with open(f"{directory}/.dockerignore", "w") as file:
        file.write("# what stays\nignored*\n!ignored-but\n**/*.log\ntree/.*\nDockerfile*\n/h/../nothing\n")
    with open(f"{directory}/ignored-but", "w") as file:
        file.write("but\n")
    if os.getuid() == 0:
        # cap_net_bind_service=ep, as setcap writes it
        os.setxattr(
            f"{directory}/able", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000")
        )
    for parent, directories, names in os.walk(directory, topdown=False):
        for name in (*names, *directories):
            os.utime(f"{parent}/{name}", (PAST, PAST), follow_symlinks=False)
    os.utime(f"{directory}/d/x", (PAST - 100.5, PAST - 100.5))
    os.utime(directory, (PAST, PAST))


def _archive(path: str, pack: Callable[[bytes], bytes]) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, bits, link in (
            ("top", tarfile.DIRTYPE, 0o750, ""),
            ("top/file", tarfile.REGTYPE, 0o640, ""),
            ("top/hard", tarfile.LNKTYPE, 0o640, "top/file"),
            ("top/link", tarfile.SYMTYPE, 0o777, "file"),
            ("no/parent/entry", tarfile.REGTYPE, 0o4711, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.linkname = kind, stat.S_IMODE(bits), link
            member.uid, member.gid, member.mtime = 21, 22, PAST - 7
            data = name.encode() if kind == tarfile.REGTYPE else b""
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    with open(path, "wb") as file:
        file.write(pack(raw.getvalue()))


def _gzipped(data: bytes) -> bytes:
    """The same bytes whenever it is made."""
    return gzip.compress(data, mtime=0)
