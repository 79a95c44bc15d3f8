"""The layer that turns Debian's stand-in into python's: Debian's Python, moved to where the official image has it."""

from collections.abc import Mapping
from io import BytesIO
from zipfile import ZipFile

from kezuri.bases.deb import Deb
from kezuri.bases.debian import more
from kezuri.bases.layer_writer import LayerWriter
from kezuri.bases.recipe import Layer
from kezuri.diagnostics import KezuriError
from kezuri.oci import Platform

VERSION = "3.13"
OFFERED = "3.12"
"""The version under whose name it stands in, too: no package of Debian's has it."""

_NAMES = (
    "ca-certificates libexpat1 libffi8 libncursesw6 libreadline8t64 media-types netbase openssl readline-common tzdata"
)
_LIBRARIES = tuple(_NAMES.split())
_OWN = (
    f"libpython{VERSION}-minimal",
    f"libpython{VERSION}-stdlib",
    f"python{VERSION}-minimal",
    f"python{VERSION}",
    f"python{VERSION}-venv",
)
_PIP = "python3-pip-whl"
_HOME = f"usr/lib/python{VERSION}/"
_LEFT_OUT = ("EXTERNALLY-MANAGED", "_distutils_system_mod.py", "sitecustomize.py")
"""What tells pip and setuptools that Python is the distribution's."""
_SCHEMES = "sysconfig/__init__.py"
"""Where Debian's Python says that packages go below /usr/local/local; they go where Python's own has them instead."""
_DEBIANS, _PYTHONS = "prefix_scheme = 'posix_local'", "prefix_scheme = 'posix_prefix'"
_RUN_PIP = f"""\
#!/usr/local/bin/python{VERSION}
import sys

from pip._internal.cli.main import main

sys.exit(main())
"""


def _place(path: str) -> str | None:
    if path.startswith(_HOME):
        inside = path.removeprefix(_HOME)
        return None if inside in _LEFT_OUT or inside == _SCHEMES else f"usr/local/lib/python{VERSION}/{inside}"
    if path.startswith("usr/bin/"):
        return f"usr/local/bin/{path.removeprefix('usr/bin/')}"
    return path if path.startswith("usr/share/doc/") and path.endswith("/copyright") else None


def _write(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
    more(layer, debs, _LIBRARIES)
    for name in _OWN:
        layer.take(debs[name], _place)
    minimal = debs[f"libpython{VERSION}-minimal"]
    schemes = minimal.read(_HOME + _SCHEMES).decode()
    if schemes.count(_DEBIANS) != 1:
        raise KezuriError.of(
            f"{minimal.package.name} {minimal.package.version}: {_SCHEMES} is not as it was",
            hint="the Debian package has changed: report this to kezuri",
        )
    layer.file(f"usr/local/lib/python{VERSION}/{_SCHEMES}", schemes.replace(_DEBIANS, _PYTHONS))
    # Where Debian's Python looks for packages is in the program itself.
    layer.symlink(f"usr/local/lib/python{VERSION}/dist-packages", "site-packages")
    _pip(layer, debs[_PIP])
    for link, target in (("python3", f"python{VERSION}"), ("python", "python3")):
        layer.symlink(f"usr/local/bin/{link}", target)
    # Files that say the version that they were written for find what they name.
    layer.symlink(f"usr/local/bin/python{OFFERED}", f"python{VERSION}")
    layer.symlink(f"usr/local/lib/python{OFFERED}", f"python{VERSION}")


def _pip(layer: LayerWriter, deb: Deb) -> None:
    """pip, out of the wheel that Debian keeps for virtual environments; the wheel, too: they are made with it."""
    layer.take(deb, lambda path: path if path.endswith(("/copyright", ".whl")) else None)
    wheels = [content.read() for entry, content in deb.members() if content is not None and "/pip-" in entry.path]
    if not wheels:
        raise KezuriError.of(f"{deb.package.name} {deb.package.version} holds no wheel of pip")
    with ZipFile(BytesIO(wheels[0])) as wheel:
        for name in sorted(wheel.namelist()):
            if not name.endswith("/"):
                layer.file(f"usr/local/lib/python{VERSION}/site-packages/{name}", wheel.read(name))
    for name in ("pip", "pip3", f"pip{VERSION}"):
        layer.file(f"usr/local/bin/{name}", _RUN_PIP, 0o755)


PYTHON = Layer(f"python-{VERSION}", (*_LIBRARIES, *_OWN, _PIP), _write)
