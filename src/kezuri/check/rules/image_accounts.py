"""What dockle says about accounts, set-id programs and names of images."""

from collections.abc import Iterator

from kezuri.anatomy.walk import Item
from kezuri.check.image.rule import ImageExample, ImageRule, ImageSide, Made
from kezuri.check.image.subject import Gathering, Image
from kezuri.check.image.texts import Texts
from kezuri.check.rule import Finding, Level
from kezuri.tree.accounts import parse_group, parse_passwd


class SetIds(Gathering):
    """Programs that run as somebody else than who starts them."""

    def __init__(self) -> None:
        self.found: list[tuple[str, int, int]] = []

    def take(self, item: Item) -> bool:
        """As Gathering says."""
        mode = item.entry.mode
        if item.visible and item.entry.kind == "file" and (mode & 0o4100 == 0o4100 or mode & 0o2010 == 0o2010):
            self.found.append((item.path, item.layer, mode))
        return False


class SetIdPrograms(ImageRule):
    """Lists set-user-id and set-group-id programs."""

    name = "SetIdPrograms"
    aliases = ("CIS-DI-0008",)
    severity = "info"
    summary = "An image should have no set-user-id or set-group-id programs that it does not need"
    why = (
        "They run with the rights of their owner, mostly root, whoever starts them: a flaw in one gives a process of "
        "a container more rights than its USER has. Few images need `su`, `mount` or `chsh`. Take the bits away in "
        "the RUN that installs (`chmod a-s`): in a later one, each file is stored twice. `no-new-privileges` makes "
        "the bits ineffective when a container is started."
    )
    japanese = (
        "イメージには、必要のない set-user-id や set-group-id のプログラムを含めるべきではありません",
        "誰が起動しても所有者（多くは root）の権限で動くため、欠陥があるとコンテナーのプロセスが USER 以上の権限を得ま"
        "す。`su`、`mount`、`chsh` が必要なイメージはほとんどありません。インストールする RUN の中でビットを外します（"
        "`chmod a-s`）。後の RUN では各ファイルが二重に保存されます。コンテナーの起動時に `no-new-privileges` を指定す"
        "るとビットは効きません。",
    )
    needs = (SetIds,)
    bad = ImageExample("FROM debian\nRUN apt-get install -y sudo\n", {"usr/bin/sudo": Made(b"x", 0o4755)})
    good = ImageExample("FROM debian\nRUN chmod a-s /usr/bin/su\n", {"usr/bin/su": Made(b"x", 0o755)})

    def look(self, image: Image) -> Iterator[Finding]:
        layers: dict[int, list[str]] = {}
        for path, layer, _ in sorted(image.gathered(SetIds).found):
            layers.setdefault(layer, []).append(f"/{path}")
        for layer, paths in sorted(layers.items()):
            shown = ", ".join(paths[:6]) + (f" and {len(paths) - 6} more" if len(paths) > 6 else "")
            message = f"{len(paths)} programs run with the rights of their owner: {shown}"
            if len(paths) == 1:
                message = f"1 program runs with the rights of its owner: {shown}"
            hint = "take the bits away where they come in, or start containers with no-new-privileges"
            yield self.found(image, image.line(layer), message, hint)


class EmptyPassword(ImageRule):
    """Reads /etc/shadow and /etc/passwd."""

    name = "EmptyPassword"
    aliases = ("DKL-LI-0001",)
    severity = "error"
    summary = "No account should have an empty password"
    why = (
        "Whoever runs a process in the container becomes that user with `su`, without a word. The field of a locked "
        "account is `*` or `!`, not nothing. `passwd -d` empties it, `passwd -l` locks it."
    )
    japanese = (
        "パスワードが空のアカウントがあるべきではありません",
        "コンテナーの中でプロセスを動かす人は、`su` で何も聞かれずにそのユーザーになれます。ロックされたアカウントの欄"
        "は空ではなく `*` か `!` です。`passwd -d` は空にし、`passwd -l` はロックします。",
    )
    needs = (Texts,)
    bad = ImageExample("FROM debian\nRUN passwd -d root\n", {"etc/shadow": Made(b"root::19000:0:99999:7:::\n")})
    good = ImageExample("FROM debian\nRUN passwd -l root\n", {"etc/shadow": Made(b"root:*:19000:0:99999:7:::\n")})

    def look(self, image: Image) -> Iterator[Finding]:
        texts = image.gathered(Texts)
        for path in ("etc/shadow", "etc/passwd"):
            for line in texts(image, path).decode("utf-8", "replace").splitlines():
                fields = line.split(":")
                if len(fields) > 3 and fields[0] and not fields[0].startswith(("#", "+", "-")) and not fields[1]:
                    layer = image.layer_of(image.resolve(path))
                    message = f"the account {fields[0][:64]} has an empty password in /{path}"
                    yield self.found(image, image.line(layer), message, f"lock it: passwd -l {fields[0][:64]}")


class AccountTwice(ImageRule):
    """Reads /etc/passwd and /etc/group."""

    name = "AccountTwice"
    aliases = ("DKL-LI-0002",)
    summary = "Names and numbers of accounts should stand once in /etc/passwd and /etc/group"
    why = (
        "Two names with one number are one user to the kernel: what one may, the other may, and which name a file "
        "shows depends on the order of lines. A name that stands twice is the first one only. Mostly a line was "
        "appended with `echo >>` where `useradd` would have refused."
    )
    japanese = (
        "アカウントの名前と番号は、/etc/passwd と /etc/group にそれぞれ一度だけあるべきです",
        "番号が同じ 2 つの名前はカーネルにとって 1 人のユーザーで、一方に許されることはもう一方にも許され、ファイルに"
        "どちらの名前が表示されるかは行の順序で決まります。二度書かれた名前は最初のものだけが有効です。多くは、"
        "`useradd` なら拒否したはずの行を `echo >>` で追加したものです。",
    )
    needs = (Texts,)
    bad = ImageExample(
        "FROM debian\nRUN echo app:x:0:0::/:/bin/sh >> /etc/passwd\n",
        {"etc/passwd": Made(b"root:x:0:0::/root:/bin/sh\napp:x:0:0::/:/bin/sh\n")},
    )
    good = ImageExample(
        "FROM debian\nRUN useradd app\n",
        {"etc/passwd": Made(b"root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n")},
    )

    def look(self, image: Image) -> Iterator[Finding]:
        texts = image.gathered(Texts)
        users = [(user.name, user.uid) for user in parse_passwd(texts(image, "etc/passwd"))]
        groups = [(group.name, group.gid) for group in parse_group(texts(image, "etc/group"))]
        for path, kind, every in (("etc/passwd", "user", users), ("etc/group", "group", groups)):
            line = image.line(image.layer_of(image.resolve(path)))
            names: set[str] = set()
            numbers: dict[int, str] = {}
            for name, number in every[:100_000]:
                first = numbers.get(number, "")[:64]
                shown = name[:64]
                if name in names:
                    message = f"the user {shown} stands twice in /{path}"
                    if kind == "group":
                        message = f"the group {shown} stands twice in /{path}"
                    yield self.found(image, line, message, "leave one of the lines out")
                elif number in numbers:
                    message = f"the users {first} and {shown} have the same number {number}"
                    if kind == "group":
                        message = f"the groups {first} and {shown} have the same number {number}"
                    yield self.found(image, line, message, "give each of them a number of its own")
                names.add(name)
                numbers.setdefault(number, name)


class OnlyLatest(ImageSide):
    """Looks at the names that the image has. A note only: the name that an image has here is often not the one that it
    is published under."""

    of = "bases.LatestBaseImage"
    aliases = ("DKL-DI-0006",)
    bad = ImageExample("FROM alpine\n", names=["docker.io/library/app:latest"])
    good = ImageExample("FROM alpine\n", names=["docker.io/library/app:latest", "docker.io/library/app:1.4.2"])

    def look(self, image: Image) -> Iterator[Finding]:
        if image.names and all(name.endswith(":latest") for name in image.names):
            hint = "tag it with its version or its commit as well: -t NAME:VERSION"
            message = f"the image has no other tag than latest: {image.names[0]}"
            yield self.found(image, None, message, hint, "info")


class ContentTrust(ImageRule):
    """Only there for its name: what it asks for is gone."""

    name = "ContentTrust"
    aliases = ("CIS-DI-0005",)
    severity = "ignore"
    summary = "Images should be pinned by their digest or signed"
    why = (
        "dockle asks whether DOCKER_CONTENT_TRUST is set where it runs, which says nothing about the image; Docker "
        "has given that mechanism up. What does its work today are digests in FROM and signatures of cosign. The rule "
        "is asked only when it is named, and tells of an image that has no digest in any of its names."
    )
    japanese = (
        "イメージはダイジェストで固定するか、署名すべきです",
        "dockle は、実行環境で DOCKER_CONTENT_TRUST が設定されているかを調べますが、イメージについては何もわからず、"
        "Docker はこの仕組みを終了しました。今その役目を果たすのは FROM のダイジェストと cosign の署名です。この規則は"
        "名指しされたときだけ調べ、どの名前にもダイジェストがないイメージを報告します。",
    )
    bad = ImageExample("FROM alpine\n", names=["docker.io/library/app:1"])
    good = ImageExample("FROM alpine\n", names=["docker.io/library/app@sha256:" + "1" * 64])

    def look(self, image: Image) -> Iterator[Finding]:
        if image.names and not any("@" in name for name in image.names):
            message = f"{image.names[0]} is a name that can become another image's"
            yield self.found(image, None, message, "pin it by its digest, or verify its signature")


class RunsAsRoot(ImageSide):
    """Looks at the user of the config; a number and a group count, too (dockle passes over `0` and `0:0`)."""

    of = "running_user.MissingUser"
    aliases = ("CIS-DI-0001",)
    bad = ImageExample("FROM node\nEXPOSE 3000\n", ExposedPorts={"3000/tcp": {}}, User="0:0")
    good = ImageExample("FROM node\nUSER node\n", ExposedPorts={"3000/tcp": {}}, User="1000")

    def look(self, image: Image) -> Iterator[Finding]:
        user = image.config.user.partition(":")[0]
        if user not in ("", "root", "0") or image.built is not None or image.config.platform.os != "linux":
            return
        low = any(int(port.partition("/")[0].partition("-")[0][:6] or 0) < 1024 for port in image.config.exposed_ports)
        drops = any(image.find(path) is not None for path in _DROPPERS)
        # A tool that works on files of its caller, or that gives its rights up by itself, may be root on purpose.
        level: Level = "warning" if image.config.exposed_ports and not low and not drops else "info"
        line = image.history.last("USER") or image.history.last("CMD", "ENTRYPOINT")
        yield self.found(image, line, "the image runs as root", "add USER with a number, such as 65532", level)


_DROPPERS = ("sbin/su-exec", "usr/local/bin/gosu", "usr/sbin/gosu", "usr/bin/gosu", "command/s6-setuidgid")


class NoHealthcheck(ImageSide):
    """Looks at the health check of the config."""

    of = "declared.HealthcheckMissing"
    aliases = ("CIS-DI-0006",)
    bad = ImageExample('FROM node\nCMD ["node", "index.js"]\n', Cmd=["node"])
    good = ImageExample("FROM node\nHEALTHCHECK CMD node check.js\n", Healthcheck={"Test": ["CMD", "node", "check.js"]})

    def look(self, image: Image) -> Iterator[Finding]:
        if image.config.healthcheck is None and image.built is None:
            line = image.history.last("CMD", "ENTRYPOINT")
            hint = "add HEALTHCHECK where nothing else asks (Kubernetes has probes of its own)"
            yield self.found(image, line, "the image does not say how to ask whether it is well", hint)


RULES = (SetIdPrograms(), EmptyPassword(), AccountTwice(), ContentTrust())
SIDES = (OnlyLatest(), RunsAsRoot(), NoHealthcheck())
