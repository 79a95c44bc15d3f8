"""`kezuri login` and `kezuri logout`: accounts at registries."""

import sys

from kezuri.app.login import Accounts
from kezuri.cli.console import Console
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError
from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.linux.privileges import keep_memory_private

_MOST = 32 << 10

LOGIN = Command(
    "login",
    "Log in to a registry",
    (
        Option(("--username", "-u"), "text", "Whose account", "NAME"),
        Option(("--password-stdin",), "flag", "Read the password, or a token in its place, from standard input"),
        Option(("--get-login",), "flag", "Print who is logged in, and do nothing else"),
    ),
    operands="[REGISTRY]",
    most=1,
    description="Without REGISTRY it is Docker Hub. The registry checks name and password before they are kept:\n"
    "by the credential helper that docker's config.json names, else in that file, which only its owner can read then.\n"
    "docker, podman and skopeo read the same file, and kezuri what they have written. --authfile names another one.",
    holds=True,
)
LOGOUT = Command(
    "logout",
    "Log out of a registry",
    (Option(("--all", "-a"), "flag", "Of every registry that logins are kept for"),),
    operands="[REGISTRY]",
    most=1,
    description="Without REGISTRY it is Docker Hub.",
)


def execute(invocation: Invocation) -> int:
    """What docker says, on standard output; everything else on standard error."""
    console = invocation.console

    def warn(warning: Diagnostic) -> None:
        console.note(f"warning: {warning.message}")
        if warning.hint:
            console.note(f"  help: {warning.hint}")

    registry = next(iter(invocation.parsed.operands), "")
    accounts = Accounts(invocation.settings, warn, console.environ)
    if invocation.command is LOGOUT:
        return _logout(invocation, accounts, registry)
    keep_memory_private()
    return _login(invocation, accounts, registry)


def _login(invocation: Invocation, accounts: Accounts, registry: str) -> int:
    parsed, console = invocation.parsed, invocation.console
    username, piped = parsed.text("--username"), parsed.flag("--password-stdin")
    if parsed.flag("--get-login"):
        user = accounts.user(registry)
        if user is None:
            raise KezuriError.of(f"nobody is logged in to {registry or 'docker.io'}", exit_code=1)
        console.data(user)
        return 0
    if piped and not username:
        raise UsageError.because("--password-stdin needs a name", "add --username NAME")
    if not piped and not username and _again(accounts, registry, console):
        console.say("Login Succeeded")
        return 0
    username = username or _ask("Username: ", console)
    if ":" in username or not username:
        raise UsageError.because("the name is empty" if not username else "a name has no colon")
    password = _piped() if piped else _ask("Password: ", console, secret=True)
    if not password:
        raise UsageError.because("the password is empty", "nothing is kept")
    ended = accounts.login(registry, username, password)
    if not ended.demanded:
        console.note(f"warning: {ended.server} asks nobody for a password: whether this one is right is not known")
    if not ended.helper:
        secret = "a token of the registry" if ended.token else "the password"
        console.note(f"warning: {secret} is kept in {ended.path}, where whoever reads the file can read it")
        console.note("  help: a credential helper keeps it safe: name one there as credsStore")
    console.say("Login Succeeded")
    return 0


def _again(accounts: Accounts, registry: str, console: Console) -> bool:
    """Whether the registry takes what is known for it from before."""
    if accounts.user(registry) is None:
        return False
    console.note("the registry is shown the credentials that are known already")
    try:
        return accounts.check(registry)
    except KezuriError as error:
        if not _on_terminal() or error.exit_code != 1:
            raise
        console.note(f"warning: {error.diagnostics[0].message}")
        return False


def _logout(invocation: Invocation, accounts: Accounts, registry: str) -> int:
    console = invocation.console
    everywhere = invocation.parsed.flag("--all")
    if everywhere and registry:
        raise UsageError.because("--all leaves every registry", "name one, or write --all")
    for ended in accounts.logout_everywhere() if everywhere else (accounts.logout(registry),):
        if ended.known:
            console.say(f"Removing login credentials for {ended.server}")
        else:
            console.say(f"Not logged in to {ended.server}")
        if ended.left:
            console.note(f"warning: {ended.left} still has credentials for {ended.server}")
            console.note("  help: the program that put them there takes them away: podman logout, or docker logout")
    return 0


def _piped() -> str:
    """The password from standard input, without the end of its line."""
    if sys.stdin is None:
        raise UsageError.because("there is no standard input to read a password from")
    data = sys.stdin.buffer.read(_MOST + 1)
    if len(data) > _MOST:
        raise UsageError.because(f"a password is not longer than {_MOST >> 10} KiB")
    return data.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")


def _on_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _ask(prompt: str, console: Console, secret: bool = False) -> str:
    """A line from the terminal, a secret one without its being seen."""
    if not _on_terminal():
        raise UsageError.because(
            "there is no terminal to ask for a name and a password on", "write --username NAME --password-stdin"
        )
    if secret:
        from getpass import getpass

        return getpass(prompt, console.err)
    console.err.write(prompt)
    console.err.flush()
    return sys.stdin.readline().strip()
