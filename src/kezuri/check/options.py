"""`check=`: which rules are asked, at the top of a file, above an instruction, or by a build argument."""

from typing import NamedTuple

from kezuri.check.rule import Rule
from kezuri.diagnostics import KezuriError
from kezuri.scalars import parse_bool


class CheckOptions(NamedTuple):
    """What the options say. `error` makes findings fail a build."""

    skip: frozenset[str] = frozenset()
    skip_all: bool = False
    experimental: frozenset[str] = frozenset()
    experimental_all: bool = False
    error: bool = False

    @classmethod
    def parse(cls, text: str) -> "CheckOptions":
        """From `skip=A,B;experimental=all;error=true`; KezuriError when it is something else."""
        text = text.strip()
        options = cls()
        for part in text.split(";", 2) if text else ():
            key, equals, value = part.partition("=")
            key, value = key.strip(), value.strip()
            if not equals or key not in ("skip", "experimental", "error"):
                said = key if equals else part
                raise KezuriError.of(
                    f'invalid check option "{said}"', hint="write skip=RULE,RULE;experimental=RULE,RULE;error=true"
                )
            if key == "error":
                error = parse_bool(value)
                if error is None:
                    raise KezuriError.of(f'failed to parse check option "{part}"', hint="error is true or false")
                options = options._replace(error=error)
                continue
            names = frozenset() if value == "all" else frozenset(name.strip() for name in value.split(","))
            if key == "skip":
                options = options._replace(skip=names, skip_all=value == "all")
            else:
                options = options._replace(experimental=names, experimental_all=value == "all")
        return options

    def below(self, comments: tuple[str, ...]) -> "CheckOptions":
        """The options for an instruction with these comments above it: the first `check=` among them is added."""
        for comment in comments:
            name, _, value = comment.partition("=")
            value = value.strip()
            if name.rstrip().lower() != "check" or not value:
                continue
            try:
                more = CheckOptions.parse(value.partition(" ")[0])
            except KezuriError:
                return self
            return self._replace(
                skip=self.skip | more.skip,
                skip_all=self.skip_all or more.skip_all,
                experimental=self.experimental | more.experimental,
                experimental_all=self.experimental_all or more.experimental_all,
            )
        return self

    def ask(self, rule: Rule) -> bool:
        """Whether the rule's findings count."""
        if rule.experimental:
            return self.experimental_all or rule.name in self.experimental
        return not self.skip_all and rule.name not in self.skip
