"""Debian itself, as far as an image has it: packages in their places, dpkg's records of them, and what their scripts
would have made."""

from collections.abc import Iterable, Mapping
from hashlib import md5

from kezuri.bases.deb import Deb
from kezuri.bases.layer_writer import LayerWriter
from kezuri.bases.recipe import Layer
from kezuri.bases.system_files import certificates, plain
from kezuri.oci import Platform

_NAMES = (
    "adduser apt base-files base-passwd bash bsdutils coreutils dash debconf debian-archive-keyring"
    " debianutils diffutils dpkg findutils gcc-14-base grep gzip hostname init-system-helpers libacl1"
    " libapt-pkg7.0 libattr1 libaudit-common libaudit1 libblkid1 libbsd0 libbz2-1.0 libc-bin libc6 libcap-ng0"
    " libcap2 libcrypt1 libdb5.3t64 libdebconfclient0 libgcc-s1 libgmp10 libhogweed6t64 liblastlog2-2 liblz4-1"
    " liblzma5 libmd0 libmount1 libnettle8t64 libpam-modules libpam-modules-bin libpam-runtime libpam0g"
    " libpcre2-8-0 libseccomp2 libselinux1 libsemanage-common libsemanage2 libsepol2 libsmartcols1"
    " libsqlite3-0 libssl3t64 libstdc++6 libsystemd0 libtinfo6 libudev1 libuuid1 libxxhash0 libzstd1"
    " login.defs mawk ncurses-base ncurses-bin openssl-provider-legacy passwd perl-base sed sqv sysvinit-utils"
    " tar util-linux zlib1g"
)
ESSENTIAL = tuple(_NAMES.split())
"""The essential packages of Debian 13, apt, the tools for accounts, and all that they depend on."""

_DIRECTORIES = (
    "boot dev etc/apt/preferences.d etc/apt/sources.list.d home media mnt opt proc run srv sys usr/local/bin"
    " usr/local/etc usr/local/games usr/local/include usr/local/lib usr/local/sbin usr/local/share usr/local/src"
    " var/cache/debconf var/lib/dpkg/updates var/lib/dpkg/parts var/lib/misc var/log/apt var/opt var/spool"
)
_MOVED = (("var/run", "/run"), ("var/lock", "/run/lock"))
"""Links that the script of base-files puts in the place of directories."""
_ALTERNATIVES = (
    ("awk", "usr/bin/awk", "/usr/bin/mawk", 5),
    ("which", "usr/bin/which", "/usr/bin/which.debianutils", 0),
    ("pager", "usr/bin/pager", "/usr/bin/more", 50),
)
_SOURCES = """\
Types: deb
URIs: http://deb.debian.org/debian
Suites: {suite} {suite}-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: {suite}-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
_EXCLUDED = """\
# What images need least, as far as packages keep it apart; licences stay.
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/info/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/bug/*
"""
_APT = """\
# An image keeps neither the packages that were installed nor what apt computes anew from its lists. Whoever has a cache
# for them removes this file, which is called as in the official image.
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
"""
_ADMIN = "var/lib/dpkg"
_IN_STATUS = ("control",)


def debian(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
    """A root file system in which Debian's programs run, apt among them."""
    for path, target in _MOVED:
        layer.symlink(path, target)
    # The links /bin, /lib and so on come with base-files: nothing may lie there before.
    for name in ("base-files", *(name for name in ESSENTIAL if name != "base-files")):
        layer.take(debs[name], _place)
    for path in _DIRECTORIES.split():
        if layer.at(path) is None:
            layer.dir(path)
    for path in ("run/lock", "var/tmp"):
        layer.dir(path, 0o1777)
    _accounts(layer, debs["base-passwd"])
    _settings(layer, debs)
    layer.file("etc/apt/sources.list.d/debian.sources", _SOURCES.format(suite=DEBIAN.suite))
    layer.file("etc/dpkg/dpkg.cfg.d/excluded", _EXCLUDED)
    layer.file("etc/apt/apt.conf.d/docker-clean", _APT)
    for name, link, target, priority in _ALTERNATIVES:
        layer.symlink(link, f"/etc/alternatives/{name}")
        layer.symlink(f"etc/alternatives/{name}", target)
        layer.file(f"{_ADMIN}/alternatives/{name}", f"auto\n/{link}\n\n{target}\n{priority}\n\n")
    layer.file(f"{_ADMIN}/info/format", "1\n")
    layer.file(f"{_ADMIN}/available", "")
    records(layer, debs, ESSENTIAL)


def _place(path: str) -> str | None:
    return None if path in dict(_MOVED) else plain(path)


def more(layer: LayerWriter, debs: Mapping[str, Deb], names: Iterable[str], below: tuple[str, ...] = ESSENTIAL) -> None:
    """Further packages on top of `debian`, and of what else is `below`; dpkg knows them then."""
    names = tuple(names)
    for name in names:
        layer.take(debs[name], plain)
    if "ca-certificates" in names:
        certificates(layer, debs["ca-certificates"])
        folder = "usr/share/ca-certificates/"
        listed = sorted(
            entry.path.removeprefix(folder)
            for entry, _ in debs["ca-certificates"].members()
            if entry.path.startswith(folder) and entry.path.endswith(".crt")
        )
        layer.file("etc/ca-certificates.conf", "".join(f"{name}\n" for name in listed))
    records(layer, debs, names, below)


def records(layer: LayerWriter, debs: Mapping[str, Deb], names: Iterable[str], below: tuple[str, ...] = ()) -> None:
    """What dpkg knows of installed packages; `below` are those that a lower layer has. The triggers of these alone are
    kept: no package on top has any that another one waits for."""
    names = tuple(names)
    files: list[str] = []
    named: dict[str, list[str]] = {}
    for name in names:
        known = dict(debs[name].controls())
        own = _info_name(debs[name], known["control"])
        entries = [f"/{entry.path}" for entry, _ in debs[name].members() if entry.path]
        layer.file(f"{_ADMIN}/info/{own}.list", "\n".join(["/.", *entries]) + "\n")
        for kind, content in known.items():
            if kind not in _IN_STATUS:
                script = kind in ("preinst", "postinst", "prerm", "postrm", "config")
                layer.file(f"{_ADMIN}/info/{own}.{kind}", content, 0o755 if script else 0o644)
        for line in known.get("triggers", b"").decode().splitlines():
            directive, _, trigger = line.strip().partition(" ")
            if directive.startswith("interest") and trigger:
                who = own + ("/noawait" if directive.endswith("noawait") else "")
                if trigger.startswith("/"):
                    files.append(f"{trigger} {who}\n")
                else:
                    named.setdefault(trigger, []).append(who + "\n")
    status = "".join(_status(debs[name]) for name in (*below, *names))
    layer.file(f"{_ADMIN}/status", status, replaces=bool(below))
    if not below:
        layer.file(f"{_ADMIN}/triggers/File", "".join(files))
        for trigger, waiting in named.items():
            layer.file(f"{_ADMIN}/triggers/{trigger}", "".join(waiting))


def _info_name(deb: Deb, control: bytes) -> str:
    several = b"\nMulti-Arch: same" in control
    return f"{deb.package.name}:{deb.package.architecture}" if several else deb.package.name


def _status(deb: Deb) -> str:
    """The package's stanza in dpkg's database: its control file, that it is installed, and the files that dpkg asks
    about before it replaces them."""
    known = dict(deb.controls())
    lines = [line for line in known["control"].decode("utf-8", "surrogateescape").splitlines() if line.strip()]
    lines.insert(1, "Status: install ok installed")
    wanted = {line.strip().lstrip("/") for line in known.get("conffiles", b"").decode().splitlines()}
    if wanted:
        held = [
            f" /{entry.path} {md5(content.read(), usedforsecurity=False).hexdigest()}"
            for entry, content in deb.members()
            if content is not None and entry.path in wanted
        ]
        lines += ["Conffiles:", *held] if held else []
    return "\n".join(lines) + "\n\n"


def _accounts(layer: LayerWriter, deb: Deb, user: str = "", group: str = "", *, replaces: bool = False) -> None:
    """The accounts that every Debian has; `user` and `group` are lines of one more."""
    # The master files have an asterisk where a password would be, and shadow has it then.
    users, groups = (
        "".join(
            line.replace(":*:", ":x:", 1) + "\n"
            for line in deb.read(f"usr/share/base-passwd/{name}").decode().splitlines()
        )
        for name in ("passwd.master", "group.master")
    )
    users, groups = users + user, groups + group
    layer.file("etc/passwd", users, replaces=replaces)
    layer.file("etc/group", groups, replaces=replaces)
    shadow = "".join(f"{line.split(':')[0]}:*:20089:0:99999:7:::\n" for line in users.splitlines())
    layer.file("etc/shadow", shadow, 0o640, 0, 42, replaces=replaces)
    gshadow = "".join(f"{line.split(':')[0]}:*::\n" for line in groups.splitlines())
    layer.file("etc/gshadow", gshadow, 0o640, 0, 42, replaces=replaces)


def add_user(layer: LayerWriter, debs: Mapping[str, Deb], name: str, number: int, home: str, shell: str) -> None:
    """One more account on top of `debian`, with a group of its own and its home directory."""
    user, group = f"{name}:x:{number}:{number}::{home}:{shell}\n", f"{name}:x:{number}:\n"
    _accounts(layer, debs["base-passwd"], user, group, replaces=True)
    layer.dir(home.strip("/"), 0o755, number, number)


def _settings(layer: LayerWriter, debs: Mapping[str, Deb]) -> None:
    """What the scripts of base-files, libc-bin and libpam-runtime copy or put together."""
    base = debs["base-files"]
    for name, path in (("dot.bashrc", "root/.bashrc"), ("dot.profile", "root/.profile"), ("profile", "etc/profile")):
        layer.file(path, base.read(f"usr/share/base-files/{name}"))
    layer.file("etc/nsswitch.conf", debs["libc-bin"].read("usr/share/libc-bin/nsswitch.conf"))
    layer.symlink("etc/dpkg/origins/default", "debian")
    for name, line in (
        ("account", "account required pam_unix.so"),
        ("auth", "auth required pam_unix.so nullok"),
        ("password", "password required pam_unix.so obscure yescrypt"),
        ("session", "session required pam_unix.so"),
        ("session-noninteractive", "session required pam_unix.so"),
    ):
        layer.file(f"etc/pam.d/common-{name}", line + "\n")
    layer.file("etc/shells", "/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n/bin/dash\n/usr/bin/dash\n")
    layer.file("etc/hostname", "localhost\n")


DEBIAN = Layer("debian-13", ESSENTIAL, debian)
