"""The report as one page: everything that it shows and draws with is in it, packed, and it asks no network."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from kezuri import __version__
from kezuri.diagnostics import KezuriError, visible

PROGRAM = (
    "base.js",
    "files.js",
    "treemap.js",
    "tree.js",
    "explorer.js",
    "anatomy.js",
    "comparison.js",
    "profile.js",
    "findings.js",
    "scan.js",
    "main.js",
)
"""The files of the page's program, in the order in which they are put together."""

Section = Mapping[str, Any]
"""What one part of a page shows, as values that become JSON; `kind` is anatomy, comparison, profile, findings or
scan."""

_MIT = """\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated \
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the \
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit \
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the \
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE \
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR \
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR \
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""


def page(title: str, sections: Sequence[Section], language: str = "en") -> bytes:
    """The page with these sections, in UTF-8. Equal sections give equal bytes. KezuriError where the library of charts
    is not installed."""
    drawn = any(section["kind"] not in ("findings", "scan") for section in sections)
    charts = library() if drawn else ""
    program = f"const WORDS = {_json(words())};\n" + "\n".join(own(name) for name in PROGRAM)
    data = {"version": __version__, "licence": _licence(charts) if drawn else None, "sections": sections}
    # Scripts run by their digest only: whatever text of an image might find its way into the page is none.
    scripts = " ".join(_allowed(script) for script in (program, charts) if script)
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "language": language,
        "policy": escape(policy),
        "version": __version__,
        "title": escape(visible(title)),
        "style": own("page.css"),
        "data": _packed(_json(data)),
        "library": _packed(charts) if drawn else "",
        "program": program,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda gap: parts[gap[1]], own("page.html")).encode()


def own(name: str) -> str:
    """A file that the page is made of."""
    return files("kezuri.report").joinpath("page", name).read_text("utf-8")


def words() -> dict[str, str]:
    """The page's sentences in Japanese, by their English."""
    found: dict[str, str] = json.loads(own("ja.json"))
    return found


def library() -> str:
    """plotly's script, which its package for Python carries; its Python is not run. KezuriError where it is not
    installed."""
    spec = find_spec("plotly")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        try:
            with open(f"{place}/package_data/plotly.min.js", encoding="utf-8") as file:
                return file.read()
        except OSError:
            continue
    raise KezuriError.of(
        "a report as HTML needs plotly, which is not installed",
        hint="install it with pip install 'kezuri[html]'",
        exit_code=125,
    )


def _licence(script: str) -> dict[str, str]:
    """What must be said of the library wherever it goes."""
    name = re.search(r"plotly\.js v[\w.-]+", script[:500])
    copyright = re.search(r"Copyright [^\n]+", script[:500])
    return {
        "name": f"{name[0] if name else 'plotly.js'} (MIT)",
        "text": f"{copyright[0] if copyright else 'Copyright Plotly, Inc.'}\n\n{_MIT}",
    }


def _json(value: object) -> str:
    """JSON that may stand within a script; text that is no Unicode was made visible before."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _packed(text: str) -> str:
    from gzip import compress

    return b64encode(compress(text.encode("utf-8", "backslashreplace"), 6, mtime=0)).decode()


def _allowed(script: str) -> str:
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
