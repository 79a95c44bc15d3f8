"""What the rules of `check` about finished images say of an image's safety, as findings."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from kezuri.check.image.linter import every_look
from kezuri.check.image.sheet import check_image
from kezuri.check.image.subject import Image
from kezuri.check.selection import Selection
from kezuri.scan.values import Finding

if TYPE_CHECKING:
    from kezuri.advisories.values import Severity
    from kezuri.check.image.rule import ImageLook
    from kezuri.check.rule import Level
    from kezuri.check.told import Told

_SAFETY: Final = ("DS-", "CIS-DI-", "DKL-", "AVD-")
"""How those call a rule who look for what is unsafe."""
_ALSO: Final = frozenset(("UserUnknown", "DevelopmentDependenciesShipped", "BuildToolsShipped"))
"""Unsafe without anybody's name: who it runs as, and programs that only an attacker needs."""
_SECRETS: Final = frozenset(("SecretInLayer", "SecretInConfig"))
"""Told as secrets."""
_OF_NAMES: Final = frozenset(("LatestBaseImage", "ContentTrust"))
"""About what an image is called here, not about the image."""
_OF_FILES: Final = frozenset(("EmptyPassword", "AccountTwice"))
"""What can be asked of a directory, which has no config."""
_SEVERITIES: "Final[dict[Level, Severity]]" = {"error": "high", "warning": "medium", "info": "low", "style": "low"}
_WORSE: "Final[dict[str, Severity]]" = {"EmptyPassword": "critical", "SecretsUsedInArgOrEnv": "high"}


def looks_for(config: bool = True) -> "tuple[ImageLook, ...]":
    """The looks that a scan takes; of what has no config those alone that go by files."""
    return tuple(look for look in every_look() if _asked(look, config))


def _asked(look: "ImageLook", config: bool) -> bool:
    name = look.page.name
    if name in _SECRETS or name in _OF_NAMES or not (config or name in _OF_FILES):
        return False
    aliases = getattr(look, "aliases", None) or look.page.aliases
    return name in _ALSO or any(alias.startswith(_SAFETY) for alias in aliases)


def misconfigurations(image: Image, looks: "tuple[ImageLook, ...]") -> Iterator[Finding]:
    """What the rules find, each with the layer that it is about, where there is one. A rule that raises is told to the
    image's `unchecked`."""
    sheet = check_image(image, Selection(), looks)
    for defect in sheet.defects:
        image.unchecked(defect.diagnostic.message)
    starts = {line.span.start: line.layer for line in image.history.lines}
    for told in sheet.told:
        yield _finding(told, -1 if told.whole is None else starts.get(told.whole.start, -1))


def _finding(told: "Told", layer: int) -> Finding:
    return Finding(
        "misconfiguration",
        told.rule.name,
        told.message,
        _WORSE.get(told.rule.name) or _SEVERITIES.get(told.level, "low"),
        aliases=told.aliases,
        layer=layer,
        references=(told.url,) if told.url else (),
        note=told.hint,
    )


def summary_of(rule: str) -> str:
    """What should be, by a rule's name; empty for what is no rule about images."""
    return next((look.page.summary for look in every_look() if look.page.name == rule), "")
