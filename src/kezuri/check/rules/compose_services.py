"""Compose files: how services run, and whether they reach each other."""

from collections.abc import Iterator

from kezuri.check.compose import Compose, Service
from kezuri.check.document import DocumentRule, DocumentSubject, fix_of
from kezuri.check.rule import Example, Finding
from kezuri.diagnostics import KezuriError
from kezuri.documents.edits import insert_after
from kezuri.documents.value import Scalar, strings
from kezuri.oci.reference import Reference

_WRAPPERS = frozenset(("npm", "yarn", "pnpm", "npx", "bunx"))
_PRODUCTION = "docker-compose.prod.yml"


class RestartPolicyMissing(DocumentRule):
    """A service in production that stays down."""

    name = "RestartPolicyMissing"
    summary = "A service in production should say what happens when it ends"
    why = (
        "Without `restart` a service that crashes, or whose machine was restarted, stays down. `unless-stopped` brings "
        "it back. Only files whose name says that they are for production are looked at, and no jobs that others wait "
        "for to complete."
    )
    japanese = (
        "本番のサービスには終了時の扱い（restart）を書く",
        "`restart` がないと、クラッシュしたサービスやマシンの再起動後のサービスは止まったままです。`unless-stopped` "
        "なら戻ってきます。名前から本番用と分かるファイルだけを調べ、完了を待たれるジョブは除きます。",
    )
    severity = "info"
    kinds = ("compose",)
    whole = True
    fix_class = "V"
    bad = Example("services:\n  app:\n    image: app:1\n", name=_PRODUCTION)
    good = Example("services:\n  app:\n    image: app:1\n    restart: unless-stopped\n", name=_PRODUCTION)

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        compose = document.facts(Compose)
        if not compose.production:
            return
        for service in compose.services:
            if service.get("restart") or service.get("deploy", "restart_policy") or is_job(compose, service):
                continue
            if not (service.get("image") or service.builds) or compose.swarm or service.get("extends"):
                continue
            entries = service.value.entries
            if not entries:
                continue
            edit = insert_after(document.source, service.value, entries[-1], ("restart: unless-stopped",))
            paths = (f"services.{service.name}.restart",)
            fix = fix_of(document, "add restart: unless-stopped", (edit,), "V", paths)
            message = f"{service.name} stays down when it ends: it has no restart policy"
            yield self.found(document, service.entry.key.span, message, "add restart: unless-stopped", fix)


class ResourceLimitsMissing(DocumentRule):
    """A service in production that may take the whole machine."""

    name = "ResourceLimitsMissing"
    summary = "A service in production should have a limit of memory"
    why = (
        "A container without a limit that leaks memory takes the others down with it: the kernel ends whichever "
        "process it likes. `deploy.resources.limits.memory` (or `mem_limit`) ends this one. What the limit should be "
        "nobody but you can know."
    )
    japanese = (
        "本番のサービスにはメモリの上限を付ける",
        "上限のないコンテナがメモリをリークすると、他のものまで道連れにします。"
        "カーネルはどのプロセスでも終了させうるからです。`deploy.resources.limits.memory`（または "
        "`mem_limit`）があれば、終了するのは当のコンテナです。適切な値はあなたにしか分かりません。",
    )
    severity = "info"
    kinds = ("compose",)
    whole = True
    bad = Example("services:\n  app:\n    image: app:1\n", name=_PRODUCTION)
    good = Example("services:\n  app:\n    image: app:1\n    mem_limit: 512m\n", name=_PRODUCTION)

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        compose = document.facts(Compose)
        if not compose.production:
            return
        open_ended = [
            service
            for service in compose.services
            if not (service.get("mem_limit") or service.get("deploy", "resources", "limits") or service.get("extends"))
            and (service.get("image") or service.builds)
            and not is_job(compose, service)
        ]
        if open_ended:
            names = [service.name for service in open_ended]
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            message = f"nothing limits the memory of {shown}"
            hint = "add deploy.resources.limits.memory"
            yield self.found(document, open_ended[0].entry.key.span, message, hint)


class InitMissing(DocumentRule):
    """A package manager as the first process."""

    name = "InitMissing"
    summary = "A service that is started by npm or another wrapper should have an init process"
    why = (
        "The first process of a container must pass signals on and reap what its children leave. npm and its relatives "
        "start a shell that starts the program: `docker compose stop` then often waits ten seconds and kills. `init: "
        "true` puts tini before them; better still is to start the program itself (`node server.js`)."
    )
    japanese = (
        "npm などのラッパーで起動するサービスには init プロセスを付ける",
        "コンテナの最初のプロセスは、シグナルを伝え、子プロセスの残骸を回収しなければなりません。npm "
        "の類はシェルを起動し、そのシェルがプログラムを起動します。そのため `docker compose stop` は 10 秒待ってから "
        "kill することがよくあります。`init: true` なら tini が前に入ります。プログラム自体（`node "
        "server.js`）を起動する方がさらに良いです。",
    )
    severity = "info"
    kinds = ("compose",)
    fix_class = "V"
    bad = Example("services:\n  app:\n    image: app:1\n    command: npm start\n", name="compose.yaml")
    good = Example("services:\n  app:\n    image: app:1\n    command: npm start\n    init: true\n", name="compose.yaml")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for service in document.facts(Compose).services:
            entry = service.here("command")
            if (
                entry is None
                or entry.alias
                or service.get("init")
                or service.get("entrypoint")
                or service.compose.swarm
            ):
                continue
            value = entry.value
            words = [scalar.text for scalar in strings(value)]
            said = words[0].split() if isinstance(value, Scalar) and words else words
            if not said or said[0] not in _WRAPPERS or is_job(service.compose, service):
                continue
            if any(sign in " ".join(said) for sign in ("&&", ";", "|", "install")):
                continue
            edit = insert_after(document.source, service.value, entry, ("init: true",))
            fix = fix_of(document, "add init: true", (edit,), "V", (f"services.{service.name}.init",))
            message = f"{said[0]} is the first process of {service.name}: it neither passes signals on nor reaps"
            yield self.found(document, value.span, message, "add init: true, or start the program itself", fix)


class ServiceImageWithoutVersion(DocumentRule):
    """A service that is another one after the next pull."""

    name = "ServiceImageWithoutVersion"
    summary = "The image of a service should have a version"
    why = (
        "An image without a tag is `latest`: what somebody gets depends on the day of the pull, and a database of "
        "another major version does not read its files. Images that the file builds itself are not meant."
    )
    japanese = (
        "サービスのイメージにはバージョンを付ける",
        "タグのないイメージは `latest` です。何が手に入るかは pull した日によって変わり、"
        "メジャーバージョンの違うデータベースは自分のファイルを読めません。このファイル自身がビルドするイメージは対象外"
        "です。",
    )
    severity = "info"
    kinds = ("compose",)
    bad = Example("services:\n  db:\n    image: postgres\n", name="compose.yaml")
    good = Example("services:\n  db:\n    image: postgres:16\n", name="compose.yaml")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        compose = document.facts(Compose)
        built = {service.image for service in compose.services if service.builds}
        for service in compose.services:
            entry = service.here("image")
            image = service.image
            if entry is None or entry.alias or image is None or service.builds or "$" in image or image in built:
                continue
            try:
                reference = Reference.parse(image, default_tag=False)
            except KezuriError:
                continue
            if reference.digest or reference.tag not in ("", "latest"):
                continue
            if reference.tag:
                message = f"{image} is whatever is latest: what is pulled changes from day to day"
            else:
                message = f"{image} has no tag: what is pulled changes from day to day"
            yield self.found(document, entry.value.span, message, "name a version")


def is_job(compose: Compose, service: Service) -> bool:
    """Whether others wait for it to complete, or its profile or its policy says that it runs on demand."""
    if service.get("profiles") is not None or service.text("restart") in ("no", "on-failure"):
        return True
    for other in compose.services:
        how = other.depends_on.get(service.name)
        if how is not None and how.text("condition") == "service_completed_successfully":
            return True
    return False


RULES = (RestartPolicyMissing(), ResourceLimitsMissing(), InitMissing(), ServiceImageWithoutVersion())
