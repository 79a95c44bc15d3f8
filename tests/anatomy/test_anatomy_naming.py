"""Owners of files: what records of several layers say about the files of each."""

from tests.anatomy.anatomy_images import dissected
from tests.packages.packages_made import MODULES, elf_with, go_info, jar, pom

from kezuri.anatomy.naming import recorded_names
from kezuri.anatomy.values import NOBODY, Maker
from kezuri.check.image.rule import ExampleLayer, Made

STATUS = "var/lib/dpkg/status"


def installed(*packages: str) -> Made:
    said = [
        f"Package: {name}\nStatus: install ok installed\nVersion: {v}\n"
        for name, _, v in (p.partition("=") for p in packages)
    ]
    return Made("\n".join(said).encode())


def owners(*layers: ExampleLayer, base: int = 0) -> dict[str, list[str]]:
    """By path the owners of its files, from the lowest layer up."""
    image = dissected(*layers, makers=[Maker("", of_base=number < base) for number in range(len(layers))])
    names = recorded_names(image)
    found: dict[str, list[str]] = {}
    for item in sorted(image.items(), key=lambda item: item.layer):
        if item.file:
            found.setdefault(item.path, []).append(str(names.owners[names.owner(item)]))
    assert names.owners[0] == NOBODY
    return found


def test_a_file_belongs_to_the_version_that_its_layer_was_written_under() -> None:
    listed = Made(b"/.\n/lib\n/lib/libssl.so\n/usr/bin/openssl\n")
    found = owners(
        {
            "lib": Made(kind="symlink", link="usr/lib"),
            "usr/lib/libssl.so": Made(b"1"),
            STATUS: installed("libssl=1", "other=5"),
            "var/lib/dpkg/info/libssl.list": listed,
            "var/lib/dpkg/info/other.list": Made(b"/.\n/usr/share/other\n"),
            "usr/share/other": Made(b"x"),
        },
        {
            "usr/lib/libssl.so": Made(b"2"),
            STATUS: installed("libssl=2", "other=5"),
            "var/lib/dpkg/info/libssl.list": listed,
            "usr/share/other": Made(b"x", uid=3),
        },
        {STATUS: installed("other=5"), "var/lib/dpkg/info/libssl.list": Made(kind="whiteout")},
        {"usr/bin/openssl": Made(b"mine")},
        base=1,
    )
    assert found["usr/lib/libssl.so"] == ["libssl 1", "libssl 2"]
    assert found["usr/share/other"] == ["other 5", "other 5"]
    assert found["usr/bin/openssl"] == ["the application"]


def test_what_no_package_has_is_nobodys_in_the_base_and_the_applications_above() -> None:
    found = owners({"etc/motd": Made(b"1")}, {"app/index.js": Made(b"2"), "etc/motd": Made(b"3")}, base=1)
    assert found == {"etc/motd": ["no package", "the application"], "app/index.js": ["the application"]}
    assert owners({"etc/os-release": Made(b"1")}, {"app/a": Made(b"2")})["etc/os-release"] == ["no package"]
    assert owners({"server": Made(b"1")})["server"] == ["the application"]


def test_packages_within_packages_have_their_own() -> None:
    deep = "app/node_modules/a/node_modules/b"
    found = owners(
        {
            "app/package.json": Made(b'{"name": "app", "version": "1"}'),
            "app/node_modules/.package-lock.json": Made(b"{}"),
            "app/node_modules/a/package.json": Made(b'{"name": "a", "version": "1"}'),
            "app/node_modules/a/lib/package.json": Made(b'{"type": "module"}'),
            f"{deep}/package.json": Made(b'{"name": "b", "version": "2"}'),
            f"{deep}/x/y.js": Made(b"1"),
        }
    )
    assert found[f"{deep}/x/y.js"] == ["b 2"] and found["app/node_modules/a/lib/package.json"] == ["a 1"]
    assert found["app/package.json"] == found["app/node_modules/.package-lock.json"] == ["the application"]


def test_compiled_modules_belong_to_where_their_source_does() -> None:
    site = "usr/lib/python3.12/site-packages"
    found = owners(
        {
            f"{site}/six-1.dist-info/METADATA": Made(b"Name: six\nVersion: 1\n"),
            f"{site}/six-1.dist-info/RECORD": Made(b"six.py,,\nsix-1.dist-info/METADATA,,\n"),
            f"{site}/six.py": Made(b"1"),
            f"{site}/__pycache__/six.cpython-312.pyc": Made(b"1"),
            f"{site}/own.py": Made(b"1"),
        }
    )
    assert found[f"{site}/__pycache__/six.cpython-312.pyc"] == found[f"{site}/six.py"] == ["six 1"]
    assert found[f"{site}/own.py"] == ["the application"]


def test_what_the_makers_of_an_image_built_is_theirs() -> None:
    """A program of Go without a checksum of its own module, and a jar with others in it; in the base nobody knows whose
    a program without a name is."""
    nameless = elf_with({".go.buildinfo": go_info("go1.22.1", "")}).ljust(200_000, b"\0")
    built = elf_with({".go.buildinfo": go_info("go1.22.1", MODULES.replace("\th1:abc=", "\t"))}).ljust(200_000, b"\0")
    fetched = elf_with({".go.buildinfo": go_info("go1.22.1", MODULES)}).ljust(200_000, b"\0")
    fat = jar({**pom("g", "app", "1"), "lib/x.jar": jar(pom("h", "x", "2"))})
    layer: ExampleLayer = {
        "nameless": Made(nameless, 0o755), "built": Made(built, 0o755), "fetched": Made(fetched, 0o755),
        "app.jar": Made(fat), "lib/x-2.jar": Made(jar(pom("h", "x", "2"))),
    }  # fmt: skip
    assert owners(layer) == {
        "app.jar": ["the application"], "built": ["the application"], "fetched": ["example.com/tool v1.2.3"],
        "lib/x-2.jar": ["h:x 2"], "nameless": ["the application"],
    }  # fmt: skip
    assert owners(layer, base=1) == {
        "app.jar": ["g:app 1"], "built": ["example.com/tool v1.2.3"], "fetched": ["example.com/tool v1.2.3"],
        "lib/x-2.jar": ["h:x 2"], "nameless": ["no package"],
    }  # fmt: skip


def test_a_program_belongs_to_the_package_around_it() -> None:
    program = elf_with({".go.buildinfo": go_info("go1.22.1", MODULES)}).ljust(200_000, b"\0")
    at = "app/node_modules/@esbuild/linux-x64"
    found = owners(
        {
            f"{at}/package.json": Made(b'{"name": "@esbuild/linux-x64", "version": "0.20"}'),
            f"{at}/bin/esbuild": Made(program, 0o755),
        }
    )
    assert found[f"{at}/bin/esbuild"] == ["@esbuild/linux-x64 0.20"]


def test_names_cannot_give_orders_to_a_terminal() -> None:
    text = b'{"name": "ev\\u001b[31mil\\u202e", "version": "1\\u0007' + b"9" * 300 + b'"}'
    said = owners({"node_modules/x/package.json": Made(text)})["node_modules/x/package.json"][0]
    assert said.isprintable() and "ev" in said and len(said) < 300


def test_links_of_directories_are_followed() -> None:
    """As after the merge of /usr, and where links lead round."""
    found = owners(
        {
            "lib": Made(kind="symlink", link="usr/lib"),
            "usr/lib/x": Made(b"1"),
            "a": Made(kind="symlink", link="b"),
            "b": Made(kind="symlink", link="a"),
            "opt/link": Made(kind="symlink", link="../../usr/lib/deep"),
            "usr/lib/deep/y": Made(b"2"),
            STATUS: installed("p=1"),
            "var/lib/dpkg/info/p.list": Made(b"/lib/x\n/a/z\n/opt/link/y\n/" + b"d/" * 3000 + b"q\n"),
        }
    )
    assert found["usr/lib/x"] == found["usr/lib/deep/y"] == ["p 1"]


def test_who_put_a_program_there_comes_before_what_it_says_of_itself() -> None:
    box = Made(b"\x7fELFBusyBox v1.37.0 (2024)".ljust(200_000, b"\0"), 0o755)
    database = Made(b"P:busybox\nV:1.36-r2\nF:bin\nR:busybox\n\n")
    found = owners({"bin/busybox": box, "lib/apk/db/installed": database}, {"bin/busybox": box._replace(uid=1)})
    assert found["bin/busybox"] == ["busybox 1.36-r2"] * 2
    assert owners({"bin/busybox": box})["bin/busybox"] == ["busybox 1.37.0"]
    both = recorded_names(dissected({"bin/busybox": box, "lib/apk/db/installed": database}))
    assert [str(each) for each in both.packages] == ["busybox 1.36-r2"]
    alone = recorded_names(dissected({"bin/busybox": box}))
    assert [str(each) for each in alone.packages] == ["busybox 1.37.0"]
