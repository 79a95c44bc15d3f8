"""What a container of the image would stumble over when it starts: its programs and its user."""

from collections.abc import Iterator

from kezuri.check.image.commands import asked_for_health, started
from kezuri.check.image.rule import ImageExample, ImageRule, ImageSide, Made
from kezuri.check.image.start import Trouble, trouble
from kezuri.check.image.subject import Image, abridged
from kezuri.check.image.user import may_write, user_of
from kezuri.check.rule import Finding, Level
from kezuri.diagnostics import KezuriError, nearest
from kezuri.elf.minimal import minimal_elf
from kezuri.tree.accounts import parse_passwd, user_ids

_PROGRAM = Made(minimal_elf(), 0o755)
_PASSWD = Made(b"root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n")


class StartProgramMissing(ImageRule):
    """Looks for the programs of ENTRYPOINT and CMD in the final root."""

    name = "StartProgramMissing"
    severity = "error"
    summary = "What ENTRYPOINT and CMD start should be in the image, on its PATH and executable"
    why = (
        "The container ends at once, with `no such file or directory` or `permission denied`. It happens when a "
        "program was installed in another stage, when the build puts its result somewhere else (`dist/main.js`, not "
        "`dist/index.js`), when a script lost its executable bit on the way through git or Windows, when its first "
        "line names a shell that a small image does not have, or when it lies in a directory that the user cannot "
        "enter."
    )
    japanese = (
        "ENTRYPOINT と CMD が起動するものは、イメージの中の PATH 上にあり、実行可能であるべきです",
        "コンテナーは `no such file or directory` または `permission denied` ですぐに終了します。プログラムを別のステ"
        "ージにインストールした場合、ビルドの成果物が別の場所（`dist/index.js` ではなく `dist/main.js` など）にある場"
        "合、git や Windows を経由してスクリプトの実行ビットが失われた場合、スクリプトの先頭行が小さなイメージにないシ"
        "ェルを指している場合、ユーザーが入れないディレクトリーにある場合に起こります。",
    )
    quick = True
    bad = ImageExample(
        'FROM node:20-alpine\nCMD ["pm2-runtime", "index.js"]\n', {"usr/bin/node": _PROGRAM}, Cmd=["pm2-runtime"]
    )
    good = ImageExample('FROM node:20-alpine\nCMD ["node", "index.js"]\n', {"usr/bin/node": _PROGRAM}, Cmd=["node"])

    def look(self, image: Image) -> Iterator[Finding]:
        for wanted in started(image):
            found = trouble(image, wanted)
            if found is None:
                continue
            message = _said(wanted.keyword, found)
            unsure = wanted.script or not wanted.sure
            line = image.history.last(wanted.keyword)
            yield self.found(image, line, message, found.hint, "warning" if unsure else None)
            return


class HealthcheckProgram(ImageSide):
    """Looks for the program of HEALTHCHECK in the final root."""

    of = "processes.HealthcheckProgramMissing"
    quick = True
    bad = ImageExample(
        "FROM node:20-alpine\nHEALTHCHECK CMD curl -f http://localhost:3000/ || exit 1\n",
        {"bin/sh": _PROGRAM, "usr/bin/wget": _PROGRAM},
        Healthcheck={"Test": ["CMD-SHELL", "curl -f http://localhost:3000/ || exit 1"]},
    )
    good = ImageExample(
        "FROM node:20-alpine\nHEALTHCHECK CMD wget -qO- http://localhost:3000/ || exit 1\n",
        {"bin/sh": _PROGRAM, "usr/bin/wget": _PROGRAM},
        Healthcheck={"Test": ["CMD-SHELL", "wget -qO- http://localhost:3000/ || exit 1"]},
    )

    def look(self, image: Image) -> Iterator[Finding]:
        for wanted in asked_for_health(image):
            found = trouble(image, wanted)
            if found is not None:
                level: Level | None = "error" if wanted.sure and not wanted.script else "warning"
                line = image.history.last("HEALTHCHECK")
                yield self.found(image, line, _said("HEALTHCHECK", found), found.hint, level)
                return


def _said(keyword: str, found: Trouble) -> str:
    message = f"{keyword} starts {abridged(found.wanted.name)}, {found.why}"
    if found.wanted.script:
        message = f"{keyword} runs {abridged(found.wanted.name)}, {found.why}"
    return message


class UserUnknown(ImageRule):
    """Looks USER up in the passwd of the final root."""

    name = "UserUnknown"
    severity = "error"
    summary = "The USER should be one that /etc/passwd of the image knows, or a number"
    why = (
        "A name means what the image's own `/etc/passwd` says. Where that file lacks it, the container does not start. "
        "It happens when the account was made in another stage than the last one, and on `scratch`, which has no "
        "`/etc/passwd` at all. A number needs no file."
    )
    japanese = (
        "USER はイメージの /etc/passwd にあるユーザーか、番号であるべきです",
        "名前の意味はイメージ自身の `/etc/passwd` が決めます。そこになければコンテナーは起動しません。アカウントを最後"
        "のステージではなく別のステージで作った場合や、`/etc/passwd` がまったくない `scratch` で起こります。番号ならフ"
        "ァイルは要りません。",
    )
    quick = True
    bad = ImageExample("FROM scratch\nCOPY server /\nUSER app\n", {"server": _PROGRAM}, User="app")
    good = ImageExample("FROM scratch\nCOPY server /\nUSER 10001\n", {"server": _PROGRAM}, User="10001")

    def look(self, image: Image) -> Iterator[Finding]:
        user = image.config.user
        if not user or image.config.platform.os != "linux":
            return
        try:
            user_ids(user, image.tree)
        except KezuriError as error:
            said = error.diagnostics[0].message
            names = [account.name for account in parse_passwd(image.read("etc/passwd") or b"")]
            near = nearest(user.partition(":")[0], names)
            hint = f"did you mean {near}?" if near else "create the account in the last stage, or write a number"
            yield self.found(image, image.history.last("USER"), said, hint)


class PortBelow1024(ImageRule):
    """Compares EXPOSE with the user of the final image."""

    name = "PortBelow1024"
    severity = "info"
    summary = "A program that is not root's should listen on a port from 1024 on"
    why = (
        "The kernel lets only root bind to ports below 1024, unless `net.ipv4.ip_unprivileged_port_start` says "
        "otherwise. Docker (since 20.10) and containerd with `enable_unprivileged_ports` set it to 0 in a container, "
        "so that it works there; with the network of the host, on an older Kubernetes node and under other runtimes "
        "the program fails with `permission denied`. That is why this is no more than a note."
    )
    japanese = (
        "root でないプログラムは 1024 以上のポートで待ち受けるべきです",
        "1024 未満のポートは、`net.ipv4.ip_unprivileged_port_start` が別の値でないかぎり、カーネルが root だけに許しま"
        "す。Docker （20.10 以降）と `enable_unprivileged_ports` を有効にした containerd はコンテナー内でこれを 0 にす"
        "るため動きますが、ホストのネットワーク、古い Kubernetes ノード、その他のランタイムでは `permission denied` で"
        "失敗します。そのため、これは注意にとどめています。",
    )
    quick = True
    bad = ImageExample(
        "FROM nginx\nUSER 1000\nEXPOSE 80\n", {"etc/passwd": _PASSWD}, User="1000", ExposedPorts={"80/tcp": {}}
    )
    good = ImageExample(
        "FROM nginx\nUSER 1000\nEXPOSE 8080\n", {"etc/passwd": _PASSWD}, User="1000", ExposedPorts={"8080/tcp": {}}
    )

    def look(self, image: Image) -> Iterator[Finding]:
        user = user_of(image)
        if user is None or user.uid == 0:
            return
        for port in image.config.exposed_ports:
            number = port.partition("/")[0].partition("-")[0]
            if number.isdecimal() and 0 < int(number[:6]) < 1024:
                message = f"the user {image.config.user} is not root, and port {port} is below 1024"
                hint = "listen on a port such as 8080, and publish it as the other one: -p 80:8080"
                yield self.found(image, image.history.last("EXPOSE"), message, hint)


_DATABASES = (".sqlite", ".sqlite3", ".db")


class DirectoryNotWritable(ImageRule):
    """Asks whether the image's user can write where a program plainly must."""

    name = "DirectoryNotWritable"
    summary = "The image's user should be able to write to its volumes and to where its program keeps data"
    why = (
        "A new volume gets the owner and mode of the directory that it is mounted on. When that belongs to root and "
        "the container runs as somebody else, the first write fails. The same holds for an SQLite database and its "
        "directory (SQLite makes its journal beside it), for Next.js' `.next/cache`, and for the caches of nginx. "
        "Give the directory away where it comes in: `COPY --chown=`, or `install -d -o USER` in the RUN that makes it."
    )
    japanese = (
        "イメージのユーザーは、ボリュームと、プログラムがデータを置く場所に書き込めるべきです",
        "新しいボリュームは、マウント先のディレクトリーの所有者とモードを引き継ぎます。それが root のもので、コンテナ"
        "ーが別のユーザーで動くと、最初の書き込みで失敗します。SQLite のデータベースとそのディレクトリー（隣にジャーナ"
        "ルを作ります）、Next.js の `.next/cache`、nginx のキャッシュも同じです。持ち込むところで所有者を変えます（"
        "`COPY --chown=`、または作成する RUN で `install -d -o USER`）。",
    )
    quick = True
    bad = ImageExample(
        "FROM node:20\nRUN mkdir /data\nVOLUME /data\nUSER node\n",
        {"etc/passwd": _PASSWD, "data": Made(kind="dir", mode=0o755)},
        User="node",
        Volumes={"/data": {}},
    )
    good = ImageExample(
        "FROM node:20\nRUN install -d -o node /data\nVOLUME /data\nUSER node\n",
        {"etc/passwd": _PASSWD, "data": Made(kind="dir", mode=0o755, uid=1000)},
        User="node",
        Volumes={"/data": {}},
    )

    def look(self, image: Image) -> Iterator[Finding]:
        user = user_of(image)
        if user is None or user.uid == 0:
            return
        for path in image.config.volumes:
            if image.find(path) is None:
                message = f"the volume {path} is not in the image, so that it will be root's, not {image.config.user}'s"
            else:
                why = may_write(image, path, user)
                if not why:
                    continue
                message = f"the user {image.config.user} cannot write to the volume {path}: {why}"
            yield self.found(image, image.history.last("VOLUME"), message, _GIVE)
        for path, what in self._kept(image):
            why = may_write(image, path, user)
            if why:
                message = f"the user {image.config.user} cannot write to {what} /{path}: {why}"
                layer = image.layer_of(image.resolve(path))
                line = image.line(layer) if layer >= 0 and not image.of_base(layer) else image.history.last("USER")
                yield self.found(image, line, message, _GIVE)

    def _kept(self, image: Image) -> Iterator[tuple[str, str]]:
        """Where the program writes without being told."""
        work = image.resolve(image.directory)
        if work:
            for found in image.tree.scan(work):
                if found.entry.kind == "file" and found.entry.path.endswith(_DATABASES):
                    yield work, "the directory of a database,"
                    yield found.entry.path, "the database"
            if image.find(f"{work}/.next/cache") is not None:
                yield f"{work}/.next/cache", "the cache of Next.js,"
        words = (*(image.config.entrypoint or ()), *(image.config.cmd or ()))
        if any(word.rpartition("/")[2] == "nginx" for word in words[:2]) and image.find("var/cache/nginx") is not None:
            yield "var/cache/nginx", "nginx's"


_GIVE = "give it to the user where it is made: COPY --chown=, or install -d -o USER"

RULES = (StartProgramMissing(), UserUnknown(), PortBelow1024(), DirectoryNotWritable())
SIDES = (HealthcheckProgram(),)
