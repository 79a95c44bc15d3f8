"""`build --check` and `build --call=…`: what is printed for each, as text and as JSON."""

from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kezuri.cli.console import Console
from kezuri.cli.options import Parsed, UsageError
from kezuri.cli.values import pairs
from kezuri.diagnostics import Diagnostic, SourceText, Span, nearest
from kezuri.scalars import parse_bool

if TYPE_CHECKING:
    from kezuri.app.check import Checked
    from kezuri.app.request import BuildRequest
    from kezuri.check.outline import Outline, TargetLine
    from kezuri.cli.invocation import Invocation
    from kezuri.progress.events import Listener

_METHODS = ("check", "outline", "targets")


class Call(NamedTuple):
    """A question about the build: `method` is check, outline or targets, `form` is text or json. With `lenient` the
    exit code does not tell of findings."""

    method: str
    form: str = "text"
    lenient: bool = False

    @classmethod
    def of(cls, parsed: Parsed) -> "Call | None":
        """The question that argv asks, None for an ordinary build; UsageError when it cannot be understood."""
        said = parsed.text("--call")
        if not said:
            return cls("check") if parsed.flag("--check") else None
        name, _, rest = said.partition(",")
        if "=" in name:
            name, rest = "", said
        form, lenient = "text", False
        for key, value in pairs("--call", rest) if rest else ():
            if key == "format" and value in ("json", "text"):
                form = value
            elif key == "format":
                raise UsageError.because(f"--call: unknown format {value!r}", "there are text and json")
            elif key == "ignorestatus":
                ignored = parse_bool(value)
                if ignored is None:
                    raise UsageError.because(f"--call: ignorestatus is true or false, not {value!r}")
                lenient = ignored
            else:
                raise UsageError.because(f"--call: unknown key {key!r}", "there are format and ignorestatus")
        name = {"lint": "check", "": "build"}.get(name, name)
        if name == "build":
            return cls("check", form, lenient) if parsed.flag("--check") else None
        if name not in _METHODS:
            near = nearest(name, (*_METHODS, "build"))
            hint = f"did you mean {near}?" if near else f"one of: build, {', '.join(_METHODS)}"
            raise UsageError.because(f"--call: unknown method {name!r}", hint)
        if parsed.flag("--check") and name != "check":
            raise UsageError.because(f"--check and --call={name} are two questions", "ask one of them")
        return cls(name, form, lenient)


def answer(call: Call, request: "BuildRequest", invocation: "Invocation", listener: "Listener") -> int:
    """Ask, print the answer, and give the exit code."""
    from kezuri.app.check import check, outline, targets

    console = invocation.console
    if call.method == "outline":
        drawn, source = outline(request, invocation.settings, listener)
        _say(console, call, outline_json(drawn, source), outline_text(drawn))
        return 0
    if call.method == "targets":
        lines, source = targets(request, invocation.settings, listener)
        _say(console, call, targets_json(lines, source), targets_text(lines))
        return 0
    checked = check(request, invocation.settings, listener)
    if call.form == "json":
        from kezuri.diagnostics.render import render

        _say(console, call, checked_json(checked), "")
        if checked.unchecked:
            colour = console.colour(console.err)
            console.note("\n".join(render(d, colour, words=console.words) for d in checked.unchecked), styled=True)
    else:
        _say_checked(console, checked)
    return 1 if (checked.warnings or checked.errors) and not call.lenient else 0


def _say(console: Console, call: Call, value: dict[str, Any], text: str) -> None:
    if call.form == "text":
        if text:
            console.say(text)
        return
    from kezuri.cli.json_text import json_text

    console.say(json_text(value, 2))


def _say_checked(console: Console, checked: "Checked") -> None:
    """The count first, as docker has it; errors on standard error, where every command has them."""
    from kezuri.diagnostics.render import render, render_all

    colour = console.colour(console.out)
    count = len(checked.warnings)
    blocks = []
    if count:
        blocks.append(console.words(f"Check complete, {count} warning{' has' if count == 1 else 's have'} been found!"))
    elif not checked.errors:
        blocks.append(console.words("Check complete, no warnings found."))
    blocks += [render(d, colour, words=console.words) for d in (*checked.warnings, *checked.unchecked)]
    if blocks:
        console.say("\n\n".join(blocks), styled=True)
    if checked.errors:
        colour = console.colour(console.err)
        console.out.flush()
        gap = "\n" if blocks else ""
        console.note(gap + render_all(checked.errors, colour, "\n\n", words=console.words), styled=True)


def checked_json(checked: "Checked") -> dict[str, Any]:
    """As BuildKit's `frontend.lint` answers."""
    from kezuri.check.rules import RULES

    source = checked.source
    summaries = {rule.name: rule.summary for rule in RULES}
    warnings = []
    for found in checked.warnings:
        warning: dict[str, Any] = {"ruleName": found.code}
        if found.code in summaries:
            warning["description"] = summaries[found.code]
        if found.url:
            warning["url"] = found.url
        warning["detail"] = found.message
        warning["location"] = _location(source, found.about or found.span)
        warnings.append(warning)
    out: dict[str, Any] = {
        "warnings": warnings,
        "sources": [
            {"filename": source.name, "language": "Dockerfile", "definition": {}, "data": _encoded(source)},
        ],
    }
    if checked.errors:
        first = checked.errors[0]
        out["buildError"] = {
            "message": "\n".join(d.message for d in checked.errors),
            "location": _location(source, first.span if _of(first, source) else None),
        }
    return out


def outline_json(drawn: "Outline", source: SourceText) -> dict[str, Any]:
    """As BuildKit's `frontend.outline` answers."""
    arguments = [
        {
            "name": a.name,
            **({"description": a.description} if a.description else {}),
            **({"value": a.value} if a.value else {}),
            "location": _location(source, a.node.span),
        }
        for a in drawn.arguments
    ]
    secrets, agents = (
        [
            {
                "name": w.id,
                **({"required": True} if w.required else {}),
                "location": _location(source, w.node.span),
            }
            for w in wanted
        ]
        for wanted in (drawn.secrets, drawn.agents)
    )
    caches = [{"ID": w.id, "location": _location(source, w.node.span)} for w in drawn.caches]
    out: dict[str, Any] = {
        "name": drawn.name,
        "description": drawn.description,
        "args": arguments,
        "secrets": secrets,
        "ssh": agents,
        "cache": caches,
        "sources": [_encoded(source)],
    }
    return {key: value for key, value in out.items() if value}


def targets_json(lines: "Sequence[TargetLine]", source: SourceText) -> dict[str, Any]:
    """As BuildKit's `frontend.targets` answers."""
    listed = []
    for line in lines:
        full: dict[str, Any] = {
            "name": line.name,
            "default": line.default,
            "description": line.description,
            "base": line.base,
            "platform": line.platform,
            "location": _location(source, line.node.span),
        }
        listed.append({key: value for key, value in full.items() if value})
    return {"targets": listed, "sources": [_encoded(source)]}


def outline_text(drawn: "Outline") -> str:
    """The tables that docker prints, and one of cache mounts."""
    blocks: list[list[str]] = []
    if drawn.name or drawn.description:
        rows = [("TARGET:", drawn.name or "(default)")]
        rows += [("DESCRIPTION:", drawn.description)] if drawn.description else []
        blocks.append(_aligned(rows, 1))
    if drawn.arguments:
        rows3 = [(a.name, a.value, a.description) for a in drawn.arguments]
        blocks.append(_aligned([("BUILD ARG", "VALUE", "DESCRIPTION"), *rows3], 3))
    for title, wanted in (("SECRET", drawn.secrets), ("SSH", drawn.agents)):
        if wanted:
            rows = [(w.id, "true" if w.required else "") for w in wanted]
            blocks.append(_aligned([(title, "REQUIRED"), *rows], 3))
    if drawn.caches:
        blocks.append(["CACHE MOUNT", *(w.id for w in drawn.caches)])
    return "\n\n".join("\n".join(block) for block in blocks)


def targets_text(lines: "Sequence[TargetLine]") -> str:
    """The table that docker prints."""
    rows = [("TARGET", "DESCRIPTION")]
    for line in lines:
        name = line.name
        if line.default:
            name = f"{name} (default)".lstrip()
        rows.append((name, line.description))
    return "\n".join(_aligned(rows, 1))


def _aligned(rows: Sequence[Sequence[str]], gap: int) -> list[str]:
    from kezuri.cli.screen_text import width

    widths = [max(width(row[i]) for row in rows) + gap for i in range(len(rows[0]) - 1)]
    return ["".join((*(c + " " * (w - width(c)) for c, w in zip(row, widths)), row[-1])).rstrip() for row in rows]


def _encoded(source: SourceText) -> str:
    return b64encode(source.text.encode("utf-8", "surrogateescape")).decode()


def _of(diagnostic: Diagnostic, source: SourceText) -> bool:
    return diagnostic.source is not None and diagnostic.source.name == source.name


def _location(source: SourceText, span: Span | None) -> dict[str, Any]:
    """BuildKit's: a range for each line."""
    if span is None:
        return {}
    first = source.position(span.start)[0]
    last = source.position(max(span.start, span.end - 1))[0]
    return {"ranges": [{"start": {"line": n}, "end": {"line": n}} for n in range(first, last + 1)]}
