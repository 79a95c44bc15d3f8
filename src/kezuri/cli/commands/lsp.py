"""`kezuri lsp`: the language server for editors."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

COMMAND = Command(
    "lsp",
    "Serve an editor: checks, fixes, formatting and costs while a Dockerfile is written",
    (Option(("--stdio",), "flag", "Speak on standard input and output, which it does anyway", ignored=True),),
    description="An editor starts it and speaks the Language Server Protocol with it on standard input and output.\n"
    "docs/editors.md has the settings for VS Code, Neovim, Helix and Emacs.",
)


def execute(invocation: Invocation) -> int:
    """Serve until the editor says `exit`, or goes away."""
    from kezuri.cli.lsp_server import serve

    return serve(invocation)
