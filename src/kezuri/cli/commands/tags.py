"""`kezuri tags`: the tags of a registry's repository."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

COMMAND = Command(
    "tags",
    "List the tags of a repository",
    (
        Option(("--format",), "text", "How to print: json, or a Go template: {{.Tag}}", "FORMAT"),
        Option(("--full-ref",), "flag", "Print whole names"),
        Option(("--omit-digest-tags", "-O"), "flag", "Leave out tags that stand for digests (sha256-HEX)"),
    ),
    operands="REPOSITORY",
    least=1,
    most=1,
    aliases=("list-tags", "ls-tags", "image tags"),
)


def execute(invocation: Invocation) -> int:
    """Print the tags, one a line, as they come."""
    parsed = invocation.parsed
    return show_tags(
        invocation,
        parsed.operands[0],
        parsed.text("--format"),
        full=parsed.flag("--full-ref"),
        digests=not parsed.flag("--omit-digest-tags"),
    )


def show_tags(invocation: Invocation, name: str, form: str = "", *, full: bool = False, digests: bool = True) -> int:
    """Print the tags of a repository. `form` is `json` (as `skopeo list-tags` prints it), a template, or empty for one
    tag a line; with `full` whole names; without `digests` no tags that stand for digests."""
    from kezuri.app.tags import repository, tags

    console, settings = invocation.console, invocation.settings
    where = repository(name)
    found = (tag for tag in tags(settings, name, console.warn) if digests or not tag.startswith("sha256-"))
    if form == "json":
        from kezuri.cli.json_text import json_text

        console.say(json_text({"Repository": where.repository, "Tags": list(found)}, 4))
        return 0
    template = None
    if form:
        from kezuri.cli.template import Template, escapes

        template = Template(escapes(form))
    for tag in found:
        named = where._replace(tag=tag).familiar
        if template is not None:
            console.data(template.render({"Name": named, "Repository": where.familiar, "Tag": tag}))
        else:
            console.say(named if full else tag)
    return 0
