"""Compose files: names that must be there, differ, or be shared."""

import re
from collections.abc import Iterator

from kezuri.check.compose import Compose, Service, split_mount
from kezuri.check.document import DocumentRule, DocumentSubject, fix_of
from kezuri.check.rule import Example, Finding, Level
from kezuri.check.rules.compose_services import is_job
from kezuri.diagnostics import Span
from kezuri.documents.edits import remove_entry
from kezuri.documents.value import Mapping, Scalar, Sequence, strings


class FixedNameWithReplicas(DocumentRule):
    """Several containers of one name."""

    name = "FixedNameWithReplicas"
    summary = "A service with several replicas can have neither a fixed name nor a fixed port"
    why = (
        "Names of containers are unique, and a port of the host belongs to one of them: Compose refuses a service with "
        "`container_name` and `replicas: 2`, and the second container of one with a published port fails "
        '("port is already allocated"). Leave the name out; publish a range, or put a proxy before them.'
    )
    japanese = (
        "複数レプリカのサービスには固定のコンテナ名も固定ポートも付けられない",
        "コンテナ名は一意で、ホストのポートを使えるのは一つだけです。`container_name` と `replicas: 2` の組み合わせは "
        "Compose が拒否し、ポートを公開するサービスの二つ目のコンテナは失敗します（「port is already allocated」）。"
        "名前は外し、ポートは範囲で公開するかプロキシを前に置きます。",
    )
    kinds = ("compose",)
    fix_class = "A"
    bad = Example(
        "services:\n  app:\n    image: app:1\n    container_name: app\n    deploy:\n      replicas: 2\n",
        name="compose.yaml",
    )
    good = Example("services:\n  app:\n    image: app:1\n    deploy:\n      replicas: 2\n", name="compose.yaml")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        compose = document.facts(Compose)
        for service in compose.services:
            if service.replicas < 2 or compose.swarm:
                continue
            entry = service.here("container_name")
            if entry is not None:
                edit = remove_entry(document.source, service.value, entry)
                paths = (f"services.{service.name}.container_name",)
                fix = fix_of(document, "leave the name to Compose", (edit,), "A", paths)
                message = f"{service.name} has {service.replicas} replicas and one container_name: Compose refuses that"
                yield self.found(document, entry.span, message, "remove container_name", fix)
            for port in service.ports:
                if port.host and "-" not in port.host and "$" not in port.host:
                    message = f"only one of the {service.replicas} replicas of {service.name} can have port {port.host}"
                    hint = "publish a range of ports, or none and a proxy before them"
                    yield self.found(document, port.span, message, hint, level="info")


class NetworkNotShared(DocumentRule):
    """Two services that do not see each other."""

    name = "NetworkNotShared"
    summary = "A service should share a network with what it depends on"
    why = (
        "A service that names `networks` is on those and no others; one that names none is on `default`. Without a "
        "network in common the name of the other one is not found. What a base file beside this one says is taken into "
        "account; a service that is waited for to complete is no server."
    )
    japanese = (
        "サービスは依存先と同じネットワークに置く",
        "`networks` を書いたサービスはそのネットワークだけに、書かないサービスは `default` に属します。"
        "共通のネットワークがなければ相手の名前は解決できません。隣にあるベースファイルの内容も考慮し、"
        "完了を待つだけのサービスは対象外です。",
    )
    kinds = ("compose",)
    bad = Example(
        "services:\n  app:\n    image: app:1\n    networks: [back]\n  proxy:\n    image: nginx:1.27\n"
        "    depends_on: [app]\nnetworks:\n  back:\n",
        name="compose.yaml",
    )
    good = Example(
        bad.text.replace("    depends_on", "    networks: [default, back]\n    depends_on"), name="compose.yaml"
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        compose = document.facts(Compose)
        for service in compose.services:
            if service.here("depends_on") is None or service.get("extends") or service.get("links"):
                continue
            for name, how in service.depends_on.items():
                other = compose.service(name)
                own = service.networks
                theirs = other.networks if other is not None else None
                if other is None or own is None or theirs is None or own & theirs or other.get("extends"):
                    continue
                if (how is not None and how.text("condition") == "service_completed_successfully") or is_job(
                    compose, other
                ):
                    continue
                if compose.partial and not (service.value.own("networks") and other.value.own("networks")):
                    continue
                entry = service.here("depends_on")
                assert entry is not None
                span = next((s.span for s in strings(entry.value) if s.text == name), entry.key.span)
                message = f"{service.name} does not see {name}: they have no network in common"
                where = ", ".join(sorted(theirs))
                yield self.found(document, span, message, f"put {service.name} on {where} too")


class UndeclaredName(DocumentRule):
    """A network, a volume or a service that the file does not have."""

    name = "UndeclaredName"
    summary = "Networks, volumes, secrets, configs and services that a service names must be declared"
    why = (
        'Compose refuses a file whose service names a network that is not below `networks:` ("service app refers to '
        'undefined network back"), and the same of volumes, secrets, configs, and of services in `depends_on`. Only '
        "files that Compose reads by themselves are looked at: what is merged with others may find them there. A "
        "service is an info: files that start a part of an application are often named with another one (`-f`)."
    )
    japanese = (
        "サービスが名指すネットワーク・ボリューム・シークレット・コンフィグ・サービスは宣言する",
        "`networks:` にないネットワークをサービスが使うと Compose はファイルを拒否します（「service app refers to "
        "undefined network back」）。ボリューム・シークレット・コンフィグと、`depends_on` のサービスも同じです。"
        "Compose が単独で読むファイルだけを調べます。他とマージされるファイルの宣言は別の所にありえます。"
        "アプリケーションの一部を起動するファイルは `-f` で別のファイルと一緒に指定することが多いため、サービスは情報と"
        "して報告します。",
    )
    kinds = ("compose",)
    whole = True
    bad = Example("services:\n  app:\n    image: app:1\n    networks: [back]\n", name="compose.yaml")
    good = Example(f"{bad.text}networks:\n  back:\n", name="compose.yaml")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        compose = document.facts(Compose)
        if compose.override or compose.root.own("include"):
            return
        for service in compose.services:
            if service.get("extends") or not (service.get("image") or service.builds):
                continue
            for kind, span, name in _used(service):
                declared = compose.root.get(kind)
                if isinstance(declared, Mapping) and declared.entry(name):
                    continue
                message = f"{service.name} uses {name}, which the file does not declare: Compose refuses it"
                level: Level | None = None
                if kind == "services":
                    message = f"{service.name} uses {name}, which the file does not declare: alone Compose refuses it"
                    level = "info"
                yield self.found(document, span, message, f"declare it below {kind}", level=level)


def _used(service: Service) -> Iterator[tuple[str, Span, str]]:
    """What a service uses of what a file declares: the key of the declarations, the place, the name."""
    networks = service.value.get("networks")
    if isinstance(networks, Mapping):
        found = [("networks", entry.key.span, entry.key.text) for entry in networks.all()]
    else:
        found = [("networks", scalar.span, scalar.text) for scalar in strings(networks)]
    volumes = service.value.get("volumes")
    for item in volumes.items if isinstance(volumes, Sequence) else ():
        if isinstance(item.value, Scalar) and ":" in item.value.text:
            source = split_mount(item.value.text)[0]
            if re.fullmatch(r"[A-Za-z0-9][\w.-]+", source):
                found.append(("volumes", item.value.span, source))
    depends = service.value.get("depends_on")
    if isinstance(depends, Mapping):
        required = [e for e in depends.all() if not isinstance(e.value, Mapping) or e.value.text("required") != "false"]
        found += [("services", entry.key.span, entry.key.text) for entry in required]
    else:
        found += [("services", scalar.span, scalar.text) for scalar in strings(depends)]
    for kind in ("secrets", "configs"):
        found += [(kind, scalar.span, scalar.text) for scalar in strings(service.value.get(kind))]
    return ((kind, span, name) for kind, span, name in found if name != "default" and "$" not in name)


RULES = (FixedNameWithReplicas(), NetworkNotShared(), UndeclaredName())
