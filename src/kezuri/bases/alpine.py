"""The layers of alpine's and busybox's stand-ins: one static busybox and what a shell expects around it."""

from collections.abc import Mapping

from kezuri.bases.deb import Deb
from kezuri.bases.layer_writer import LayerWriter
from kezuri.bases.recipe import Layer
from kezuri.bases.system_files import Account, accounts, certificates, licence, script, zones
from kezuri.diagnostics import KezuriError
from kezuri.oci import Platform

RELEASE = "3.22.0"

_HOMES = {
    "bin": (
        "arch ash base64 cat chgrp chmod chown cp cpio date dd df dmesg dnsdomainname echo ed egrep false"
        " fatattr fgrep getopt grep gunzip gzip hostname ionice ipcalc kill link linux32 linux64 ln login ls"
        " lzop mkdir mknod mktemp more mount mt mv netstat pidof ping ping6 ps pwd readlink rev rm rmdir"
        " run-parts sed setpriv sh sleep stat stty su sync tar touch true umount uname usleep vi watch zcat"
    ),
    "sbin": (
        "acpid adjtimex arp blockdev depmod fdisk findfs freeramdisk fstrim getty halt hwclock ifconfig"
        " ifdown ifup init insmod ip klogd loadkmap logread losetup lsmod mdev mkswap modinfo modprobe nameif"
        " nologin pivot_root poweroff reboot rmmod route start-stop-daemon sulogin swapoff swapon switch_root"
        " sysctl syslogd tc tunctl udhcpc vconfig watchdog"
    ),
    "usr/sbin": (
        "arping brctl chroot crond fsfreeze httpd i2cdetect i2cdump i2cget i2cset i2ctransfer loadfont"
        " nbd-client partprobe rdate telnetd ubirename udhcpd"
    ),
}
_HOME_OF = {name: folder for folder, names in _HOMES.items() for name in names.split()}
_DIRECTORIES = (
    "bin dev etc home lib media mnt opt proc run sbin srv sys usr usr/bin usr/lib usr/local usr/local/bin"
    " usr/local/lib usr/local/share usr/sbin usr/share var var/cache var/empty var/lib var/local var/log var/opt"
    " var/spool etc/profile.d"
)
# Debian's busybox answers to the names of package managers too; an image without packages had better not.
_UNWANTED = frozenset(("busybox", "dpkg", "dpkg-deb", "linuxrc", "rpm", "rpm2cpio"))
_ACCOUNT_TOOLS = ("adduser", "addgroup", "deluser", "delgroup")

USERS = (
    Account("root", 0, 0, "/root", "/bin/sh"),
    Account("bin", 1, 1, "/bin"),
    Account("daemon", 2, 2, "/sbin"),
    Account("lp", 4, 7, "/var/spool/lpd"),
    Account("sync", 5, 0, "/sbin", "/bin/sync"),
    Account("shutdown", 6, 0, "/sbin", "/sbin/shutdown"),
    Account("halt", 7, 0, "/sbin", "/sbin/halt"),
    Account("mail", 8, 12, "/var/mail"),
    Account("news", 9, 13, "/usr/lib/news"),
    Account("ftp", 21, 21, "/var/lib/ftp"),
    Account("sshd", 22, 22, "/dev/null"),
    Account("games", 35, 35, "/usr/games"),
    Account("ntp", 123, 123, "/var/empty"),
    Account("guest", 405, 100, "/dev/null"),
    Account("nobody", 65534, 65534, "/"),
)
GROUPS = (
    ("root", 0),
    ("bin", 1),
    ("daemon", 2),
    ("sys", 3),
    ("adm", 4),
    ("tty", 5),
    ("disk", 6),
    ("lp", 7),
    ("mail", 12),
    ("news", 13),
    ("wheel", 10),
    ("kmem", 9),
    ("audio", 18),
    ("video", 27),
    ("shadow", 42),
    ("www-data", 82),
    ("users", 100),
    ("nogroup", 65533),
    ("nobody", 65534),
)

_PROFILE = """\
export PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export PAGER=less
umask 022
for script in /etc/profile.d/*.sh; do
\t[ ! -r "$script" ] || . "$script"
done
unset script
"""


def applets(busybox: bytes) -> tuple[str, ...]:
    """The names that a busybox program answers to, read from its own table without running it: names in order, each
    ended by a zero byte, the last one by two."""
    start = busybox.find(b"[\0[[\0")
    end = busybox.find(b"\0\0", start)
    if start < 0 or end < 0:
        raise KezuriError.of("the busybox program has no table of applets", hint="its Debian package has changed")
    names = tuple(n.decode("ascii", "replace") for n in busybox[start:end].split(b"\0"))
    if "sh" not in names or len(names) < 100:
        raise KezuriError.of(f"the busybox program's table of applets ends after {len(names)} names")
    return names


def home_of(applet: str) -> str:
    """The directory in which people look for the program."""
    return _HOME_OF.get(applet, "usr/bin")


def _directories(layer: LayerWriter) -> None:
    for path in _DIRECTORIES.split():
        layer.dir(path)
    layer.dir("root", 0o700)
    layer.dir("tmp", 0o1777)
    layer.dir("var/tmp", 0o1777)
    layer.symlink("var/run", "../run")
    layer.symlink("var/lock", "../run/lock")
    layer.dir("run/lock", 0o1777)


def _alpine(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
    _directories(layer)
    program = debs["busybox-static"].read("usr/bin/busybox")
    layer.file("bin/busybox", program, 0o755)
    for name in applets(program):
        if name not in _UNWANTED:
            layer.symlink(f"{home_of(name)}/{name}", "/bin/busybox")
    layer.file("sbin/apk", script("apk.sh"), 0o755)
    layer.file("usr/sbin/accounts", script("accounts.sh"), 0o755)
    for name in _ACCOUNT_TOOLS:
        layer.symlink(f"usr/sbin/{name}", "accounts")
    layer.file("etc/alpine-release", RELEASE + "\n")
    minor = RELEASE.rpartition(".")[0]
    layer.file(
        "etc/os-release",
        f'NAME="Alpine Linux"\nID=alpine\nVERSION_ID={RELEASE}\n'
        f'PRETTY_NAME="kezuri\'s stand-in for Alpine Linux v{minor} (Debian packages, no musl, no apk)"\n',
    )
    accounts(layer, USERS, GROUPS, shadow=True)
    layer.file("etc/shells", "/bin/sh\n/bin/ash\n")
    layer.file("etc/profile", _PROFILE)
    layer.file("etc/hostname", "localhost\n")
    layer.file("etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n")
    layer.file("etc/nsswitch.conf", "hosts: files dns\n")
    layer.take(debs["netbase"], lambda path: path if path in ("etc/protocols", "etc/services") else licence(path))
    certificates(layer, debs["ca-certificates"])
    layer.symlink("etc/ssl/cert.pem", "certs/ca-certificates.crt")
    zones(layer, debs["tzdata"])
    for name in ("busybox-static", "ca-certificates"):
        layer.take(debs[name], licence)


def _busybox(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
    for path in ("bin", "dev", "etc", "home", "usr", "usr/bin", "usr/sbin", "var", "var/spool", "var/spool/mail"):
        layer.dir(path)
    layer.dir("root", 0o700)
    layer.dir("tmp", 0o1777)
    program = debs["busybox-static"].read("usr/bin/busybox")
    names = [n for n in applets(program) if n not in _UNWANTED]
    # One file with hard links, as the official image has it: `COPY --from=busybox /bin/wget` then copies a program.
    layer.file("bin/busybox", program, 0o755)
    for name in names:
        layer.hardlink(f"bin/{name}", "bin/busybox")
    layer.symlink("usr/bin/env", "../../bin/env")
    accounts(
        layer,
        (
            Account("root", 0, 0, "/root", "/bin/sh"),
            Account("daemon", 1, 1, "/usr/sbin", "/bin/false"),
            Account("bin", 2, 2, "/bin", "/bin/false"),
            Account("www-data", 33, 33, "/var/www", "/bin/false"),
            Account("nobody", 65534, 65534, "/home", "/bin/false"),
        ),
        (("tty", 5), ("mail", 8), ("users", 100), ("nobody", 65534)),
        shadow=True,
    )
    layer.file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    layer.take(debs["busybox-static"], licence)


ALPINE = Layer("alpine", ("busybox-static", "ca-certificates", "tzdata", "netbase"), _alpine)
BUSYBOX = Layer("busybox", ("busybox-static",), _busybox)
