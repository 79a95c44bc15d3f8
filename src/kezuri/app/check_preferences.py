"""Where what is said about checks is found: beside the files that are checked, and in hadolint's places."""

import os
from collections.abc import Callable, Mapping

from kezuri.check.preferences import Preferences
from kezuri.diagnostics import KezuriError

_LARGEST = 1 << 20
_HADOLINT = (".hadolint.yaml", ".hadolint.yml")
Read = Callable[[str, str], Preferences]
"""Reads a text with this name."""


class PreferenceFiles:
    """What holds for the files of a directory: the command line, then hadolint's variables, the project's kezuri.toml,
    .hadolint.yaml, .trivyignore and .dockleignore, and last the settings files. Each file is read once."""

    def __init__(
        self,
        command: Preferences,
        settings: Preferences,
        environ: Mapping[str, str],
        formats: tuple[str, ...],
        today: str,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._formats = formats
        self._today = today
        self._first = command
        if any(name.startswith("HADOLINT_") for name in environ):
            from kezuri.check.preferences_hadolint import hadolint_variables

            self._first = command.over(hadolint_variables(environ))
        if ignored := environ.get("DOCKLE_IGNORES", ""):
            from kezuri.check.names import canonicals

            self._first = self._first.over(Preferences(ignored=canonicals(ignored.split(","))))
        self._here = _current()
        self._files: dict[str, Preferences] = {}
        self._known: dict[str, Preferences] = {}
        self._chains: dict[str, tuple[str, ...]] = {}

    def of(self, directory: str) -> Preferences:
        """What holds for the files of a directory; the empty one is that of standard input. KezuriError for a file that
        is malformed."""
        directory = directory or self._here
        known = self._known.get(directory)
        if known is None:
            known = self._known[directory] = self._find(directory)
        return known

    @property
    def warnings(self) -> Preferences:
        """Everything that was read, laid over each other: what it warns of is in it."""
        found = self._first.over(self._settings)
        for file in self._files.values():
            found = found.over(file)
        return found

    def _find(self, directory: str) -> Preferences:
        chain = self._chain(directory)
        found = self._first
        project = self._nearest(chain, ("kezuri.toml",))
        if project:
            found = found.over(self._read(project, self._project))
        hadolint = self._hadolint(chain)
        if hadolint:
            found = found.over(self._read(hadolint, self._hadolint_file))
        for name in (".trivyignore", ".dockleignore"):
            ignored = self._nearest((*((self._here,) if self._here else ()), *chain), (name,))
            if ignored:
                found = found.over(self._read(ignored, self._ignored))
        return found.over(self._settings)

    def _chain(self, directory: str) -> tuple[str, ...]:
        """The directories to look in: upwards to the root of the repository, or else to the current directory where
        that is above, or else the one directory alone."""
        known = self._chains.get(directory)
        if known is not None:
            return known
        upwards = [directory]
        found: tuple[str, ...] = (directory,)
        while True:
            at = upwards[-1]
            if os.path.lexists(f"{at}/.git"):
                found = tuple(upwards)
                break
            if at == self._here:
                found = tuple(upwards)
            above = os.path.dirname(at)
            if above == at:
                break
            upwards.append(above)
        self._chains[directory] = found
        return found

    def _hadolint(self, chain: tuple[str, ...]) -> str:
        here = self._nearest((self._here,) if self._here else (), _HADOLINT)
        found = here or self._nearest(chain, _HADOLINT)
        if found:
            return found
        home = self._environ.get("HOME", "")
        config = self._environ.get("XDG_CONFIG_HOME", "") or (f"{home}/.config" if home else "")
        visible = ("hadolint.yaml", "hadolint.yml")
        places = [(config, visible), (f"{home}/.hadolint", (*visible, "config.yaml", "config.yml")), (home, _HADOLINT)]
        for directory, names in places:
            if directory.startswith("/") and (found := self._nearest((directory,), names)):
                return found
        return ""

    def _nearest(self, directories: tuple[str, ...], names: tuple[str, ...]) -> str:
        for directory in directories:
            for name in names:
                path = f"{directory}/{name}"
                if os.path.isfile(path):
                    return path
        return ""

    def _read(self, path: str, read: Read) -> Preferences:
        known = self._files.get(path)
        if known is None:
            shown = os.path.relpath(path) if self._here and path.startswith(f"{self._here}/") else path
            known = self._files[path] = read(_text(path, shown), shown)
        return known

    def _project(self, text: str, name: str) -> Preferences:
        from kezuri.check.preferences_toml import read_project

        return read_project(text, name, self._formats)

    def _hadolint_file(self, text: str, name: str) -> Preferences:
        from kezuri.check.preferences_hadolint import read_hadolint

        return read_hadolint(text, name)

    def _ignored(self, text: str, name: str) -> Preferences:
        from kezuri.check.preferences_ignores import read_ignored

        return read_ignored(text, self._today)


def _current() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _text(path: str, shown: str) -> str:
    """A file's text. One that is a link has to lead to a file beside it or below: what errors show of it must not be
    another's."""
    directory = os.path.realpath(os.path.dirname(path))
    if not os.path.realpath(path).startswith(directory.rstrip("/") + "/"):
        raise KezuriError.of(f"{shown} is a link out of its directory", hint="put the file itself there", exit_code=2)
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise KezuriError.of(f"cannot read {shown}: {error.strerror}", exit_code=2) from None
    if len(data) > _LARGEST:
        raise KezuriError.of(f"{shown} is larger than 1 MiB", exit_code=2)
    return data.decode("utf-8-sig", "surrogateescape")
