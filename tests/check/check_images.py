"""Images examined that exist only here."""

from collections.abc import Iterable

from kezuri.check.image.example import image_of
from kezuri.check.image.linter import every_look, look_at
from kezuri.check.image.rule import ExampleLayer, ImageExample, ImageLook, Made
from kezuri.check.rule import Finding
from kezuri.elf.minimal import minimal_elf

LOOKS = every_look()
NEARLY_ALWAYS = ("HealthcheckMissing", "MissingUser")
"""What these find is in nearly every image."""
ASKED = tuple(look for look in LOOKS if look.page.severity != "ignore" and look.page.name not in NEARLY_ALWAYS)
GLIBC = "/lib64/ld-linux-x86-64.so.2"
MUSL = "/lib/ld-musl-x86_64.so.1"
PASSWD = Made(b"root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
DEBIAN: ExampleLayer = {
    "lib64/ld-linux-x86-64.so.2": Made(minimal_elf(library=True, soname="ld-linux-x86-64.so.2"), 0o755),
    "lib/x86_64-linux-gnu/libc.so.6": Made(minimal_elf(library=True, soname="libc.so.6"), 0o755),
    "bin/sh": Made(minimal_elf(GLIBC, ("libc.so.6",)), 0o755),
    "usr/bin/env": Made(minimal_elf(GLIBC, ("libc.so.6",)), 0o755),
    "usr/local/bin/node": Made(minimal_elf(GLIBC, ("libc.so.6",)), 0o755),
    "etc/passwd": PASSWD,
}
ALPINE: ExampleLayer = {
    "lib/ld-musl-x86_64.so.1": Made(minimal_elf(library=True), 0o755),
    "lib/libc.musl-x86_64.so.1": Made(kind="symlink", link="ld-musl-x86_64.so.1"),
    "bin/busybox": Made(minimal_elf(MUSL, ("libc.musl-x86_64.so.1",)), 0o755),
    "bin/sh": Made(kind="symlink", link="/bin/busybox"),
    "usr/bin/wget": Made(kind="symlink", link="/bin/busybox"),
    "usr/local/bin/node": Made(minimal_elf(MUSL, ("libc.musl-x86_64.so.1",)), 0o755),
    "etc/passwd": PASSWD,
}


def findings(example: ImageExample, looks: Iterable[ImageLook] = ASKED) -> list[Finding]:
    """What the rules say of an image."""
    return list(look_at(image_of(example), looks))


def said(*layers: ExampleLayer, **config: object) -> list[str]:
    """`Rule: message` of everything that is found in an image of these layers."""
    return [f"{each.rule.name}: {each.message}" for each in findings(ImageExample("FROM scratch\n", *layers, **config))]


def names(*layers: ExampleLayer, **config: object) -> list[str]:
    """The rules that find something in an image of these layers."""
    return [each.rule.name for each in findings(ImageExample("FROM scratch\n", *layers, **config))]
