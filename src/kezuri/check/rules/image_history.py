"""What dockle says of the commands in an image's history: the rules about Dockerfiles are asked about it."""

from collections.abc import Iterator

from kezuri.check.image.as_dockerfile import Rewritten
from kezuri.check.image.rule import ImageExample, ImageSide
from kezuri.check.image.subject import Image
from kezuri.check.rule import Finding, Rule


class _Told(ImageSide):
    """A rule that is asked about the history, unless the Dockerfile itself is known and was checked."""

    def look(self, image: Image) -> Iterator[Finding]:
        rule = self.page
        assert isinstance(rule, Rule)
        if image.built is not None:
            return
        rewritten = image.remembered("history", lambda: Rewritten(image))
        for finding in rule.all(rewritten.subject):
            if self.aliases is None or finding.aliases is None or set(self.aliases) & set(finding.aliases):
                number = finding.node.place.line if finding.node is not None else 0
                line = rewritten.line(number)
                yield self.found(image, line, finding.message, finding.hint or _HINT, finding.level)


_INSTALL = "apt-get update && apt-get install -y curl"
_HINT = "change the Dockerfile that the image is built from"


def _ran(text: str) -> dict[str, object]:
    return _said(f"/bin/sh -c {text}")


def _said(text: str) -> dict[str, object]:
    return {"history": [{"created_by": text, "empty_layer": True}]}


class UpdateAlone(_Told):
    """As the rule has it, of the commands in the history."""

    of = "upgrades.UpdateWithoutInstall"
    aliases = ("CIS-DI-0007",)
    bad = ImageExample("FROM debian\nRUN apt-get update\n", **_ran("apt-get update"))
    good = ImageExample(
        f"FROM debian\nRUN {_INSTALL}\n",
        **_ran(_INSTALL),
    )


class Added(_Told):
    """As the rule has it, of the commands in the history."""

    of = "copying.AddForPlainFiles"
    aliases = ("CIS-DI-0009",)
    bad = ImageExample("FROM debian\nADD app /app\n", **_said("ADD app /app # buildkit"))
    good = ImageExample("FROM debian\nCOPY app /app\n", **_said("ADD rootfs.tar.gz / # buildkit"))


class SecretVariable(_Told):
    """As the rule has it, of the names of the environment."""

    of = ".SecretsUsedInArgOrEnv"
    aliases = ("CIS-DI-0010",)
    bad = ImageExample("FROM node\nENV API_TOKEN=secret\n", Env=["PATH=/bin", "API_TOKEN=secret"])
    good = ImageExample("FROM node\nENV PORT=3000\n", Env=["PATH=/bin", "PORT=3000"])


class Sudo(_Told):
    """As the rule has it, of the commands in the history."""

    of = "shell_programs.SudoUsed"
    aliases = ("DKL-DI-0001",)
    bad = ImageExample("FROM debian\nRUN sudo make\n", **_ran("sudo make"))
    good = ImageExample("FROM debian\nRUN make\n", **_ran("make"))


class KernelVolume(_Told):
    """As the rule has it, of the commands in the history."""

    of = "declared.SystemDirectoryAsVolume"
    aliases = ("DKL-DI-0002",)
    bad = ImageExample("FROM debian\nVOLUME /proc\n", **_said("VOLUME [/proc]"))
    good = ImageExample("FROM debian\nVOLUME /data\n", **_said("VOLUME [/data]"))


class Upgraded(_Told):
    """As the rule has it, of the commands in the history."""

    of = "upgrades.DistributionUpgrade"
    aliases = ("DKL-DI-0003",)
    bad = ImageExample(
        "FROM debian\nRUN apt-get dist-upgrade -y\n", **_ran("apt-get update && apt-get dist-upgrade -y")
    )
    good = ImageExample("FROM debian\nRUN make\n", **_ran("make"))


class ApkIndex(_Told):
    """As the rule has it, of the commands in the history."""

    of = "apk.ApkIndexKept"
    aliases = ("DKL-DI-0004",)
    bad = ImageExample("FROM alpine\nRUN apk add curl\n", **_ran("apk add curl"))
    good = ImageExample("FROM alpine\nRUN apk add --no-cache curl\n", **_ran("apk add --no-cache curl"))


class AptLists(_Told):
    """As the rule has it, of the commands in the history."""

    of = "apt_lists.AptListsKept"
    aliases = ("DKL-DI-0005",)
    bad = ImageExample(
        f"FROM debian\nRUN {_INSTALL}\n",
        **_ran(_INSTALL),
    )
    good = ImageExample(
        f"FROM debian\nRUN {_INSTALL} && rm -rf /var/lib/apt/lists/*\n",
        **_ran(f"{_INSTALL} && rm -rf /var/lib/apt/lists/*"),
    )


RULES = ()
SIDES = (UpdateAlone(), Added(), SecretVariable(), Sudo(), KernelVolume(), Upgraded(), ApkIndex(), AptLists())
