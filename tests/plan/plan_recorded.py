"""Plans in the form in which BuildKit's were recorded: the target's files as a graph of what makes them.

`cases/*.json` hold what BuildKit v0.33.1 makes of a Dockerfile (its `dockerfile2llb`): whether it is refused, the
config, the history, and the operations of its build graph. `image.json` holds the base images of all cases.
"""

import json
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.parser import parse
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor, digest_of
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.contexts import NamedContext, context_name
from kezuri.plan.inputs import BaseImage, ContextInput, ImageInput, ImageSource, Input, StageInput
from kezuri.plan.operation import (
    AgentMount,
    BindMount,
    CacheMount,
    CopyOperation,
    Plan,
    RunMount,
    RunOperation,
    SecretMount,
    TmpfsMount,
)
from kezuri.plan.planner import Planner, PlanRequest

CASES = Path(__file__).parent / "cases"
Case = dict[str, Any]
Node = dict[str, Any]


def recorded(name: str) -> list[Case]:
    """The cases of one file."""
    found: list[Case] = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    return found


IMAGES: Mapping[str, Any] = json.loads((CASES / "images.json").read_text(encoding="utf-8"))


def resolve(source: ImageSource, platform: Platform) -> BaseImage:
    """The image of `images.json` that is called so, else the one called `*`."""
    key = Reference.parse(source.text).familiar.removesuffix(":latest")
    raw = IMAGES.get(key, IMAGES["*"])
    if raw is None:
        raise KezuriError.of(f"{source.text}: not found")
    config = ImageConfig.parse(json.dumps(raw).encode(), source.text)
    layers = tuple(
        Descriptor("application/vnd.oci.image.layer.v1.tar+gzip", digest_of(d.encode()), 3) for d in config.diff_ids
    )
    return BaseImage(source.text, digest_of(source.text.encode()), config, layers, source)


def plan_of(case: Case) -> Plan:
    """The plan that kezuri makes of a case, on linux/amd64."""
    request = PlanRequest(
        case.get("target", ""),
        case.get("args", {}),
        {context_name(name): NamedContext(*given) for name, given in case.get("contexts", {}).items()},
        Platform.parse(case["platform"]) if "platform" in case else None,
        Platform("linux", "amd64"),
        case.get("network", ""),
    )
    return Planner(parse(case["dockerfile"], "Dockerfile"), request, resolve).plan()


def history_of(plan: Plan) -> list[list[Any]]:
    """Each line of the target's history: its text, and whether it is without a layer."""
    stage = plan.stage(plan.target)
    root = stage
    while isinstance(root.base, StageInput):
        root = plan.stage(root.base.stage)
    base = root.base.config.history if isinstance(root.base, BaseImage) else ()
    return [
        *([h.created_by, h.empty_layer] for h in base),
        *([item.created_by, item.operation < 0] for item in stage.history),
    ]


def config_of(plan: Plan) -> dict[str, Any]:
    """The target's config as JSON, without history and layers."""
    config = plan.stage(plan.target).config.to_json()
    return {key: value for key, value in config.items() if key not in ("history", "rootfs")}


def operations_of(plan: Plan) -> list[Node]:
    """What makes the target's files, each node after those that it refers to by `{"node": position}`."""
    return flatten(_Graph(plan).stage(plan.target))


def flatten(tree: Node | None) -> list[Node]:
    """A tree as a list in which what is equal stands once."""
    nodes: list[Node] = []
    known: dict[str, int] = {}

    def place(value: Any) -> Any:
        if isinstance(value, list):
            return [place(v) for v in value]
        if not isinstance(value, dict):
            return value
        flat = {key: place(value[key]) for key in sorted(value)}
        if "kind" not in flat:
            return flat
        text = json.dumps(flat)
        if text not in known:
            known[text] = len(nodes)
            nodes.append(flat)
        return {"node": known[text]}

    place(tree)
    return nodes


def by_target(mounts: list[Node]) -> list[Node]:
    """Mounts in an order of their own."""
    return sorted(mounts, key=lambda m: (m["dest"], json.dumps(m, sort_keys=True)))


class _Graph:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._done: dict[int, Node | None] = {}

    def stage(self, number: int) -> Node | None:
        if number not in self._done:
            stage = self._plan.stage(number)
            state: Node | None = None
            if isinstance(stage.base, StageInput):
                state = self.stage(stage.base.stage)
            elif stage.base is not None:
                state = _image(stage.base)
            for operation in stage.operations:
                if isinstance(operation, RunOperation):
                    state = self._run(operation, state)
                elif isinstance(operation, CopyOperation):
                    state = self._copy(operation, state)
                else:
                    state = {
                        "kind": "mkdir",
                        "base": state,
                        "path": operation.path,
                        "mode": 0o755,
                        "owner": _owner(operation.user),
                    }
            self._done[number] = state
        return self._done[number]

    def _input(self, source: Input | None) -> Node | None:
        if isinstance(source, StageInput):
            return self.stage(source.stage)
        if isinstance(source, ImageInput):
            return _image(source.image)
        return {"kind": "context", "name": source.name or "context"} if isinstance(source, ContextInput) else None

    def _run(self, run: RunOperation, base: Node | None) -> Node:
        mounts = [m for mount in run.mounts if (m := self._mount(mount)) is not None]
        if run.script_name:
            script = run.script.decode("utf-8", "surrogateescape")
            inline = {"kind": "inline", "path": f"/{run.script_name}", "mode": 0o755, "data": script}
            mounts.append({"dest": "/dev/pipes/", "type": "BIND", "ro": True, "sel": "", "from": inline})
        return {
            "kind": "exec",
            "base": base,
            "args": list(run.argv),
            "env": [f"{k}={v}" for k, v in run.env],
            "cwd": run.cwd,
            "user": run.user,
            "network": {"default": "UNSET"}.get(run.network, run.network.upper()),
            "security": "INSECURE" if run.insecure else "SANDBOX",
            "mounts": by_target(mounts),
            "secretenv": sorted(
                [m.id, m.env, not m.required] for m in run.mounts if isinstance(m, SecretMount) and m.env
            ),
            "proxy": dict(run.proxy),
        }

    def _mount(self, mount: RunMount) -> Node | None:
        node: Node = {"dest": mount.target, "ro": False, "sel": "", "from": None}
        match mount:
            case BindMount():
                node |= {"type": "BIND", "ro": not mount.writable, "sel": _clean(mount.source).removesuffix("/")}
                node["from"] = self._input(mount.input)
            case CacheMount():
                node |= {"type": "CACHE", "ro": mount.readonly, "sel": _clean(mount.source).removesuffix("/")}
                node["from"] = self._input(mount.input)
                node["cache"] = [f"/{mount.id}", mount.sharing.upper()]
                if (mount.mode, mount.uid, mount.gid) != (None, None, None):
                    mode = 0o755 if mount.mode is None else mount.mode
                    node["from"] = {"kind": "seed", "mode": mode, "owner": [mount.uid or 0, mount.gid or 0]}
                    node["sel"] = "/cache"
            case TmpfsMount():
                node |= {"type": "TMPFS", "size": mount.size}
            case SecretMount():
                if not mount.target:
                    return None
                node["type"] = "SECRET"
                node["secret"] = [mount.id, mount.uid, mount.gid, mount.mode, not mount.required]
            case AgentMount():
                node["type"] = "SSH"
                node["ssh"] = [mount.id, mount.uid, mount.gid, mount.mode, not mount.required]
        return node

    def _copy(self, copy: CopyOperation, base: Node | None) -> Node:
        common = {
            "dest": copy.destination,
            "owner": _owner(copy.chown),
            "mode": f"{int(copy.chmod, 8):o}" if copy.chmod.isdigit() else copy.chmod,
            "exclude": list(copy.excludes),
        }
        actions: list[Node] = []
        for word in copy.sources:
            include: list[str] = []
            required: list[str] = []
            if copy.parents:
                parent, pivot, pattern = word.partition("/./")
                word, pattern = (parent, pattern) if pivot else ("/", word)
                include = [_clean(pattern)[1:]]
                if not any(c in word + pattern for c in "*?["):
                    required = [_clean(f"{word}/{pattern}")]
            unpack = copy.add if copy.unpack is None else copy.unpack
            actions.append(
                common
                | {"from": self._input(copy.input), "src": _clean(word), "include": include, "required": required}
                | {"unpack": unpack}
            )
        for name, data in copy.heredocs:
            text = data.decode("utf-8", "surrogateescape")
            inline = {"kind": "inline", "path": _clean(name), "mode": 0o644, "data": text}
            actions.append(
                common | {"from": inline, "src": _clean(name), "include": [], "required": [], "unpack": False}
            )
        return {"kind": "file", "link": copy.link and base is not None, "base": base, "actions": actions}


def _image(image: BaseImage) -> Node | None:
    return {"kind": "image", "ref": str(Reference.parse(image.source.text))} if image.layers else None


def _clean(path: str) -> str:
    return "/" + posixpath.normpath(posixpath.join("/", path)).lstrip("/")


def _owner(text: str) -> list[int | str | None] | None:
    if not text:
        return None
    user, colon, group = text.partition(":")
    return [_account(user), _account(group) if colon else None]


def _account(text: str) -> int | str:
    if text in ("", "root"):
        return 0
    return int(text) if text.isascii() and text.isdigit() else text
