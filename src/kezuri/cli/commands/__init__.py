"""One file per command; none is imported before its command runs."""

import sys

from kezuri.cli.invocation import Execute
from kezuri.cli.options import Command

MODULES = {
    "build": "build",
    "plan": "plan",
    "check": "check",
    "why": "why",
    "fmt": "fmt",
    "lsp": "lsp",
    "run": "run",
    "images": "images",
    "inspect": "inspect",
    "history": "history",
    "tag": "tag",
    "rmi": "rmi",
    "pull": "pull",
    "login": "login:LOGIN",
    "logout": "login:LOGOUT",
    "push": "push",
    "mutate": "mutate",
    "append": "append",
    "flatten": "flatten",
    "rebase": "rebase",
    "attach": "attach",
    "discover": "discover",
    "copy": "copy",
    "save": "save",
    "load": "load",
    "import": "import_",
    "tags": "tags",
    "digest": "digest",
    "manifest inspect": "manifest:INSPECT",
    "manifest create": "manifest:CREATE",
    "manifest add": "manifest:ADD",
    "manifest annotate": "manifest:ANNOTATE",
    "manifest remove": "manifest:REMOVE",
    "manifest rm": "manifest:RM",
    "manifest push": "manifest:PUSH",
    "imagetools create": "imagetools:CREATE",
    "imagetools inspect": "imagetools:INSPECT",
    "cat": "cat",
    "ls": "ls",
    "cp": "cp",
    "export": "export",
    "prune": "prune",
    "image prune": "image_prune",
    "du": "du",
    "config": "config",
    "volume create": "volumes:CREATE",
    "volume ls": "volumes:LS",
    "volume inspect": "volumes:INSPECT",
    "volume rm": "volumes:RM",
    "volume prune": "volumes:PRUNE",
    "reproduce": "reproduce",
    "size record": "size:RECORD",
    "size show": "size:SHOW",
    "size gate": "size:GATE",
    "doctor": "doctor",
    "store check": "store_check",
    "demo": "demo",
    "bases": "bases",
    "completion": "completion",
    "version": "version",
    "buildx create": "builders:CREATE",
    "buildx use": "builders:USE",
    "buildx ls": "builders:LS",
    "buildx inspect": "builders:INSPECT",
    "__complete": "complete",
}
"""Each command and the module that it lives in, in the order of `kezuri --help`; of a module with several commands the
name of its table, too."""

ALIASES = {
    "bud": "build",
    "image build": "build",
    "builder build": "build",
    "buildx build": "build",
    "buildx b": "build",
    "buildx du": "du",
    "buildx prune": "prune",
    "buildx rm": "buildx use",
    "buildx stop": "buildx use",
    "buildx version": "version",
    "builder prune": "prune",
    "image ls": "images",
    "image list": "images",
    "image inspect": "inspect",
    "image history": "history",
    "image rm": "rmi",
    "image remove": "rmi",
    "image tag": "tag",
    "image pull": "pull",
    "image push": "push",
    "image copy": "copy",
    "image save": "save",
    "image load": "load",
    "image import": "import",
    "image tags": "tags",
    "list-tags": "tags",
    "ls-tags": "tags",
    "image digest": "digest",
    "index create": "imagetools create",
    "index inspect": "imagetools inspect",
    "buildx imagetools create": "imagetools create",
    "buildx imagetools inspect": "imagetools inspect",
    "container run": "run",
    "system df": "du",
    "system prune": "prune",
    "volume list": "volume ls",
    "volume remove": "volume rm",
}
"""Other names that people's fingers know."""

GROUPS = (
    "image",
    "manifest",
    "imagetools",
    "index",
    "buildx",
    "builder",
    "container",
    "system",
    "store",
    "volume",
    "size",
)
"""First words that need a second one."""


def load(name: str) -> tuple[Command, Execute]:
    """The command's table and the function that runs it, imported now. `name` is a key of MODULES."""
    place, _, table = MODULES[name].partition(":")
    module = f"kezuri.cli.commands.{place}"
    __import__(module)
    loaded = sys.modules[module]
    return getattr(loaded, table or "COMMAND"), loaded.execute
