"""Finished images: what rules find in them, where they say it is, and what they leave alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.check.check_images import ALPINE, ASKED, DEBIAN, GLIBC, LOOKS, MUSL, findings, names, said
from tests.layer.layer_trees import trees
from tests.suites.suites_folded import folded
from tests.tree.test_tree_stack import everything, listed

from kezuri.anatomy.walk import walk
from kezuri.check.catalogue import every_rule
from kezuri.check.image import binaries, linking, subject
from kezuri.check.image.example import image_of
from kezuri.check.image.linter import look_at
from kezuri.check.image.rule import ImageExample, ImageLook, ImageRule, Made
from kezuri.check.image.sheet import check_image
from kezuri.check.selection import Selection
from kezuri.elf.minimal import minimal_elf
from kezuri.layer.entry import Item
from kezuri.tree.stack import StackView

each = folded(LOOKS, lambda look: type(look).__name__)


def example_of(look: ImageLook, kind: str) -> ImageExample:
    found = getattr(look, kind)
    assert isinstance(found, ImageExample)
    return found


@each
def test_bad_example_is_reported(look: ImageLook) -> None:
    found = findings(example_of(look, "bad"), [look])
    assert found
    for one in found:
        assert one.hint and one.rule is look.page
        assert "\n" not in one.message and not one.message.endswith(".")
        # What dockle has one name for can be two rules here.
        assert set(one.aliases or ()) <= {*one.rule.aliases, "CIS-DI-0010"}


@each
def test_good_example_is_not_reported(look: ImageLook) -> None:
    assert [one.message for one in findings(example_of(look, "good"), [look])] == []


@folded([look for look in LOOKS if look.quick], lambda look: type(look).__name__)
def test_a_quick_one_finds_nothing_in_the_good_example_where_nothing_is_gathered(look: ImageLook) -> None:
    assert list(look.look(image_of(example_of(look, "good")))) == []


@each
def test_nothing_is_gathered_that_is_not_declared(look: ImageLook) -> None:
    image = image_of(example_of(look, "bad"))
    image.gather(look.needs)
    before = set(image._gathered)
    list(look.look(image))
    assert set(image._gathered) == before


def test_every_file_with_rules_about_images_is_known() -> None:
    known = {look.page.name for look in LOOKS}
    assert {rule.name for rule in every_rule() if isinstance(rule, ImageRule)} <= known
    assert all(look.page in every_rule() for look in LOOKS)


def test_the_checks_of_dockle_are_all_there() -> None:
    numbers = ["CIS-DI-0001", *(f"CIS-DI-{n:04}" for n in range(5, 11)), *(f"DKL-DI-{n:04}" for n in range(1, 7))]
    numbers += [f"DKL-LI-{n:04}" for n in range(1, 4)]
    have = {alias for look in LOOKS for alias in getattr(look, "aliases", None) or look.page.aliases}
    assert [number for number in numbers if number not in have] == []


# entries


@settings(deadline=None, max_examples=20)
@given(st.lists(trees(), min_size=1, max_size=4))
def test_what_is_visible_is_what_the_stack_shows(layers: list[list[Item]]) -> None:
    shown_as_stacked(layers)


@pytest.mark.slow
@settings(deadline=None, max_examples=1000)
@given(st.lists(trees(), min_size=1, max_size=4))
def test_what_is_visible_of_many_more_is_what_the_stack_shows(layers: list[list[Item]]) -> None:
    shown_as_stacked(layers)


def shown_as_stacked(layers: list[list[Item]]) -> None:
    forms = [listed(layer) for layer in layers]
    items = list(walk(forms))
    shown: dict[str, int] = {}
    for item in items:
        if item.visible and item.entry.kind != "whiteout":
            # Of the layers that have a directory, the uppermost one describes it.
            shown[item.path] = max(item.layer, shown.get(item.path, -1))
    wanted = {entry.path: entry.kind for entry in everything(StackView(forms))}
    kinds = {(item.path, item.layer): item.entry.kind for item in items}
    assert {path: kinds[path, layer] for path, layer in shown.items() if kinds[path, layer] != "hardlink"} == {
        path: kind for path, kind in wanted.items() if kinds.get((path, shown.get(path, -1))) not in ("hardlink", None)
    }
    assert wanted.keys() - shown.keys() <= {path for path, kind in wanted.items() if kind == "dir"}
    assert all(item.hidden > item.layer for item in items if item.hidden >= 0)


def test_what_hides_a_file_is_named() -> None:
    lower = {"a/x": Made(b"1"), "a/y": Made(b"2"), "b/z": Made(b"3")}
    middle = {"a/x": Made(kind="whiteout"), "b": Made(kind="whiteout")}
    upper = {"a/x": Made(b"4"), "a/y": Made(b"5")}
    image = image_of(ImageExample("", lower, middle, upper))
    seen = {(item.path, item.layer): (item.hidden, item.removed) for item in walk(image.layers) if item.file}
    assert seen == {
        ("a/x", 2): (-1, False),
        ("a/x", 0): (1, True),
        ("a/y", 2): (-1, False),
        ("a/y", 0): (2, False),
        ("b/z", 0): (1, True),
    }


# binaries


def test_modules_for_both_libraries_are_all_right() -> None:
    gnu, musl = (
        minimal_elf(needed=("libc.so.6",), library=True),
        minimal_elf(needed=("libc.musl-x86_64.so.1",), library=True),
    )
    both = {
        "app/node_modules/@img/sharp-linux-x64/lib/sharp.node": Made(gnu),
        "app/node_modules/@img/sharp-linuxmusl-x64/lib/sharp.node": Made(musl),
        "app/node_modules/bcrypt/prebuilds/linux-x64/bcrypt.glibc.node": Made(gnu),
        "app/node_modules/bcrypt/prebuilds/linux-x64/bcrypt.musl.node": Made(musl),
        "app/node_modules/bcrypt/prebuilds/linux-arm64/bcrypt.node": Made(
            minimal_elf(needed=("libc.so.6",), library=True, machine=183)
        ),
    }
    assert names(ALPINE, both) == names(DEBIAN, both) == []
    assert names(ALPINE, {"app/node_modules/bcrypt/build/Release/bcrypt.node": Made(gnu)}) == ["ModulesOfOtherLibc"]
    assert names(DEBIAN, {"app/node_modules/bcrypt/build/Release/bcrypt.node": Made(musl)}) == ["ModulesOfOtherLibc"]


def test_a_program_of_glibc_runs_on_alpine_with_its_loader() -> None:
    wget = {"usr/local/bin/wget": Made(minimal_elf(GLIBC, ("libc.so.6",)), 0o755)}
    assert said(ALPINE, wget) == ["ProgramOfOtherLibc: /usr/local/bin/wget is built for glibc, and the image has musl"]
    compat = {
        "lib/ld-linux-x86-64.so.2": Made(minimal_elf(library=True), 0o755),
        "lib64": Made(kind="symlink", link="lib"),
        "lib/libc.so.6": Made(minimal_elf(library=True), 0o755),
    }
    assert names(ALPINE, compat, wget) == []


def test_libraries_are_looked_for_as_loaders_do() -> None:
    library = Made(minimal_elf(library=True, soname="libx.so.1"))
    program = {"opt/app/bin/run": Made(minimal_elf(GLIBC, ("libx.so.1", "libc.so.6"), runpath="$ORIGIN/../lib"), 0o755)}
    start = {"Cmd": ["/opt/app/bin/run"]}
    assert said(DEBIAN, program, **start) == [
        "LibraryMissing: /opt/app/bin/run needs libx.so.1, which is not in the image"
    ]
    assert names(DEBIAN, program, {"opt/app/lib/libx.so.1": library}, **start) == []
    plain = {"opt/app/bin/run": Made(minimal_elf(GLIBC, ("libx.so.1",)), 0o755)}
    elsewhere = {"opt/lib/libx.so.1": library}
    assert "it is at /opt/lib/libx.so.1" in said(DEBIAN, plain, elsewhere, **start)[0]
    told = {"etc/ld.so.conf": Made(b"include ld.so.conf.d/*.conf\n"), "etc/ld.so.conf.d/a.conf": Made(b"/opt/lib\n")}
    assert names(DEBIAN, plain, elsewhere, told, **start) == []
    assert names(DEBIAN, plain, elsewhere, Env=["LD_LIBRARY_PATH=/opt/lib"], **start) == []


def test_a_library_can_be_named_by_its_path() -> None:
    program = {"opt/app/bin/run": Made(minimal_elf(GLIBC, ("$ORIGIN/../lib/libx.so.1", "/opt/app/liby.so")), 0o755)}
    library = Made(minimal_elf(library=True))
    there = {"opt/app/lib/libx.so.1": library, "opt/app/liby.so": library}
    assert names(DEBIAN, program, there, Cmd=["/opt/app/bin/run"]) == []
    assert names(DEBIAN, program, Cmd=["/opt/app/bin/run"]) == ["LibraryMissing"]


def test_programs_for_a_machine_that_runs_as_well_count_where_they_are_started() -> None:
    old = {"usr/lib/tool/old": Made(minimal_elf("/lib/ld-linux.so.2", machine=3), 0o755)}
    assert names(DEBIAN, old) == []
    assert names(DEBIAN, old, Cmd=["/usr/lib/tool/old"]) == ["LoaderMissing"]


def test_what_a_library_needs_is_needed_as_well() -> None:
    program = {"srv/run": Made(minimal_elf(GLIBC, ("liba.so.1",)), 0o755)}
    library = {"usr/lib/liba.so.1": Made(minimal_elf(library=True, needed=("libb.so.1",), soname="liba.so.1"))}
    assert "needs libb.so.1" in said(DEBIAN, program, library, Cmd=["/srv/run"])[0]


def test_libraries_that_need_each_other_come_to_an_end() -> None:
    first = {"usr/lib/liba.so.1": Made(minimal_elf(library=True, needed=("libb.so.1",), soname="liba.so.1"))}
    second = {"usr/lib/libb.so.1": Made(minimal_elf(library=True, needed=("liba.so.1",), soname="libb.so.1"))}
    program = {"srv/run": Made(minimal_elf(GLIBC, ("liba.so.1",)), 0o755)}
    assert names(DEBIAN, first, second, program, Cmd=["/srv/run"]) == []


def test_optional_modules_of_a_language_are_left_alone() -> None:
    tk = {"usr/local/lib/python3.12/lib-dynload/_tkinter.so": Made(minimal_elf(needed=("libtk8.6.so",), library=True))}
    driver = {"srv/run": Made(minimal_elf(GLIBC, ("libcuda.so.1",)), 0o755)}
    wheel = {"app/lib/python3.12/site-packages/cv2/cv2.so": Made(minimal_elf(needed=("libGL.so.1",), library=True))}
    assert names(DEBIAN, tk, driver, Cmd=["/srv/run"]) == []
    assert names(DEBIAN, wheel) == ["LibraryMissing"]


def test_a_package_for_several_machines_is_all_right() -> None:
    arm = Made(minimal_elf(needed=("libc.so.6",), library=True, machine=183))
    own = Made(minimal_elf(needed=("libc.so.6",), library=True))
    assert names(DEBIAN, {"app/node_modules/a-linux-arm64/a.node": arm}) == ["ForeignArchitecture"]
    assert (
        names(DEBIAN, {"app/node_modules/a-linux-arm64/a.node": arm, "app/node_modules/a-linux-x64/a.node": own}) == []
    )
    assert names(DEBIAN, {"usr/lib/firmware/blob.so": arm}) == []


def test_a_broken_file_is_no_finding() -> None:
    cut = {"srv/run": Made(minimal_elf(GLIBC, ("libx.so.1",))[:200], 0o755)}
    assert "LibraryMissing" not in names(DEBIAN, cut, Cmd=["/srv/run"])


# what is started


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"Cmd": ["node", "dist/main.js"]}, "CMD runs dist/main.js, which is not in the image"),
        ({"Cmd": ["node", "dist/index"]}, ""),
        ({"Cmd": ["node", "--require", "./no.js", "dist/index.js"]}, ""),
        ({"Cmd": ["node", "-e", "1"]}, ""),
        ({"Cmd": ["/bin/sh", "-c", "exec node dist/index.js"]}, ""),
        ({"Cmd": ["/bin/sh", "-c", "curl x"]}, "CMD starts curl, which is not in the image, nor anywhere on its PATH"),
        ({"Cmd": ["/bin/sh", "-c", "cd /app && nothing"]}, ""),
        ({"Cmd": ["/bin/sh", "-c", "$PROGRAM x"]}, ""),
        ({"Cmd": ["/bin/bash", "-c", "true"]}, "CMD starts /bin/bash, which is not in the image"),
        ({"Cmd": ["./plain.sh"]}, "CMD starts ./plain.sh, which is not executable (its mode is 0644)"),
        ({"Cmd": ["./bash.sh"]}, "CMD starts ./bash.sh, a script for /bin/bash, which is not in the image"),
        ({"Cmd": ["./env.sh"]}, "CMD starts ./env.sh, a script for ruby, which is not on PATH"),
        ({"Cmd": ["./dos.sh"]}, "carriage return"),
        ({"Cmd": ["./good.sh"]}, ""),
        ({"Cmd": ["./good.sh"], "Volumes": {"/app": {}}}, ""),
        ({"Cmd": ["missing"], "Env": ["PATH=/mnt"], "Volumes": {"/mnt": {}}}, ""),
        ({"Entrypoint": ["/app/good.sh"], "Cmd": ["missing"]}, ""),
        ({"Entrypoint": ["tini", "--"], "Cmd": ["node"]}, "ENTRYPOINT starts tini, which is not in the image"),
        ({"Entrypoint": ["/usr/bin/env", "A=1"], "Cmd": ["missing"]}, "CMD starts missing"),
        ({"Cmd": ["/root/tool"], "User": "node"}, "the user node may not start: /root has mode 0700"),
        ({"Cmd": ["/root/tool"]}, ""),
        (
            {"Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["./bash.sh"]},
            "CMD starts ./bash.sh, a script for /bin/bash",
        ),
        ({"Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["dist/index.js"]}, ""),
        ({"Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["postgres"]}, "CMD starts postgres"),
        ({"Cmd": ["app"]}, "CMD starts app, which is not in the image"),
        ({"Cmd": ["hidden"]}, "CMD starts hidden, which is not on PATH"),
        ({"Cmd": ["/app"]}, "which is a directory"),
        ({}, ""),
    ],
)
def test_what_is_started_has_to_be_there(config: dict[str, object], why: str) -> None:
    app = {
        "app/dist/index.js": Made(b"x"),
        "app/plain.sh": Made(b"#!/bin/sh\n"),
        "app/bash.sh": Made(b"#!/bin/bash\n", 0o755),
        "app/env.sh": Made(b"#!/usr/bin/env ruby\n", 0o755),
        "app/dos.sh": Made(b"#!/bin/sh\r\n", 0o755),
        "app/good.sh": Made(b"#! /usr/bin/env node\n", 0o755),
        "app/bin/hidden": Made(b"#!/bin/sh\n", 0o755),
        "usr/local/bin/docker-entrypoint.sh": Made(b"#!/bin/sh\n", 0o755),
        "root": Made(kind="dir", mode=0o700),
        "root/tool": Made(b"#!/bin/sh\n", 0o755),
    }
    found = [text for text in said(DEBIAN, app, WorkingDir="/app", **config) if text.startswith("StartProgramMissing")]
    assert bool(found) == bool(why), found
    assert not why or why in found[0]


@pytest.mark.parametrize(
    ("test", "broken"),
    [
        (["CMD-SHELL", "curl -f http://localhost/ || exit 1"], True),
        (["CMD-SHELL", "wget -q http://localhost/ || exit 1"], False),
        (["CMD-SHELL", "test -f /tmp/ok"], False),
        (["CMD", "curl", "http://localhost/"], True),
        (["NONE"], False),
        (["CMD"], False),
    ],
)
def test_what_a_health_check_starts_has_to_be_there(test: list[str], broken: bool) -> None:
    found = names(ALPINE, Healthcheck={"Test": test})
    assert found == (["HealthcheckProgramMissing"] if broken else [])


def test_a_check_in_shell_form_needs_a_shell() -> None:
    found = said(
        {"app": Made(minimal_elf(), 0o755)}, Healthcheck={"Test": ["CMD-SHELL", "/app --health"]}, Cmd=["/app"]
    )
    assert found == ["HealthcheckProgramMissing: HEALTHCHECK starts /bin/sh, which is not in the image"]


# secrets

KEY = (
    b"-----BEGIN OPENSSH PRIVATE KEY-----\n"
    + b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAABlwAAAAdzc2\n" * 3
)
GITHUB = b"ghp_" + b"aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cF6hJk"


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("root/.ssh/id_ed25519", KEY),
        ("app/config.json", b'{"token": "' + GITHUB + b'"}'),
        ("app/.npmrc", b"//registry.npmjs.org/:_authToken=0a1b2c3d-4e5f-6789-abcd\n"),
        ("root/.git-credentials", b"https://me:s3cretpass@github.com\n"),
        ("root/.netrc", b"machine example.org login me password hunter22\n"),
        (
            "root/.aws/credentials",
            b"[default]\naws_secret_access_key = " + b"wJalrXUtnFEMIK7MDENGbPxRfiCYzzzzzzzzKEY9" + b"\n",
        ),
        ("root/.docker/config.json", b'{"auths": {"r.example.org": {"auth": "bWU6cGFzcw=="}}}'),
        ("app/.env", b"PORT=3000\nDB_PASSWORD=correcthorse\n"),
        ("root/.pypirc", b"[pypi]\nusername = __token__\npassword = verysecretindeed\n"),
    ],
)
def test_secrets_are_found_and_not_shown(path: str, data: bytes) -> None:
    texts = [text for text in said({path: Made(data)}, {path: Made(kind="whiteout")}) if text.startswith("Secret")]
    assert len(texts) == 1 and f"/{path} holds" in texts[0] and "only hides" in texts[0]
    assert not any(
        word in texts[0] for word in ("b3Blb", "ghp_", "0a1b2c", "s3cret", "hunter", "wJal", "bWU6", "horse", "very")
    )


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("app/node_modules/x/test.key", KEY),
        ("usr/lib/python3/dist-packages/x/key.pem", KEY),
        ("app/tests/fixtures/key.pem", KEY),
        ("etc/ssl/private/ssl-cert-snakeoil.key", KEY),
        ("app/.npmrc", b"//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n"),
        ("app/.env", b"PORT=3000\nDB_PASSWORD=\nAPI_KEY=your_key_here\nSECRET=${OTHER}\n"),
        ("app/.env.example", b"DB_PASSWORD=correcthorse\n"),
        ("app/readme", b"AKIAIOSFODNN7EXAMPLE and ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        ("app/cert.pem", b"-----BEGIN CERTIFICATE-----\nMIIB\n"),
        ("app/source.go", b'const header = "-----BEGIN PRIVATE KEY-----"\n'),
        ("root/.docker/config.json", b'{"auths": {"r.example.org": {}}, "credsStore": "pass"}'),
        ("root/.docker/config.json", b"[" * 100_000),
    ],
)
def test_what_is_no_secret_is_left_alone(path: str, data: bytes) -> None:
    assert [name for name in names({path: Made(data)}) if name.startswith("Secret")] == []


def test_the_history_is_shown_without_its_secrets() -> None:
    token = GITHUB.decode()
    history = [
        {"created_by": f"/bin/sh -c git clone https://me:{token}@github.com/me/it", "empty_layer": True},
        {"created_by": f"/bin/sh -c #(nop)  ENV TOKEN={token}", "empty_layer": True},
    ]
    image = image_of(ImageExample("", history=history, Env=[f"TOKEN={token}", "DB=postgres://u:topsecret1@db/x"]))
    found = [one for one in look_at(image, ASKED) if one.rule.name == "SecretInConfig"]
    assert len(found) == 4
    assert token not in image.history.source.text and "*****" in image.history.source.text
    assert image.history.source.text.startswith("RUN git clone https://")
    assert all(token not in one.message and "topsecret1" not in one.message for one in found)


# waste


def test_owners_that_change_later_are_counted_with_their_megabytes() -> None:
    files = {f"app/{number}": Made(b"x", size=2_000_000) for number in range(5)}
    owned = {path: made._replace(uid=1000) for path, made in files.items()}
    moded = {path: made._replace(uid=1000, mode=0o600) for path, made in files.items()}
    found = said(files, owned, moded)
    assert len(found) == 2
    assert "5 files" in found[0] and "another owner, 10.0 MB (in all, 20.0 MB are stored twice)" in found[0]
    assert "another mode" in found[1]
    assert names(files, {path: made._replace(mtime=5) for path, made in files.items()}) == []


def test_findings_stand_at_what_made_them() -> None:
    history = [{"created_by": "RUN /bin/sh -c make # buildkit"}, {"created_by": "/bin/sh -c rm /big"}]
    image = image_of(ImageExample("", {"big": Made(size=5_000_000)}, {"big": Made(kind="whiteout")}, history=history))
    [found] = look_at(image, ASKED)
    assert found.place is not None and found.place.line == 2
    assert found.place.source.line(2) == "RUN rm /big" and found.place.source.name == "history of example"
    assert "`RUN make`" in found.message


def test_a_history_that_does_not_fit_says_nothing_about_layers() -> None:
    image = image_of(
        ImageExample("", {"big": Made(size=5_000_000)}, {"big": Made(kind="whiteout")}, history=[{"created_by": "x"}])
    )
    [found] = look_at(image, ASKED)
    assert found.place is not None and found.place.source.line(found.place.line) == "# layer 2"


# development


def test_development_is_found_without_npm() -> None:
    package = {"app/package.json": Made(b'{"devDependencies": {"typescript": "5", "left-pad": "1"}}')}
    there = {"app/node_modules/typescript/a.js": Made(b"x"), "app/node_modules/left-pad/a.js": Made(b"x")}
    assert names(package, there) == ["DevelopmentDependenciesShipped"]
    assert names(package, {"app/node_modules/left-pad/a.js": Made(b"x")}) == []
    assert names({"app/package.json": Made(b"[" * 50_000)}, there) == []


@pytest.mark.parametrize("lock", [b"", b"{}", b'{"packages": []}', b'{"packages": {"node_modules/a": 1}}', b"\xff"])
def test_a_record_of_another_form_is_passed_over(lock: bytes) -> None:
    assert names({"app/node_modules/.package-lock.json": Made(lock or b" "), "app/node_modules/a/x": Made(b"x")}) == []


def test_libraries_of_a_compiler_are_no_compiler() -> None:
    status = (
        b"Package: gcc-12-base\nStatus: install ok installed\n\nPackage: libgcc-s1\nStatus: install ok installed\n\n"
    )
    gone = b"Package: gcc\nStatus: deinstall ok config-files\n\n"
    assert names({"var/lib/dpkg/status": Made(status + gone)}) == []
    assert names({"lib/apk/db/installed": Made(b"P:build-base\nI:1\n\n")}) == ["BuildToolsShipped"]


# users


def test_a_user_who_may_not_write() -> None:
    root = {"data": Made(kind="dir", mode=0o755), "app/db.sqlite3": Made(b"x"), "app/.next/cache/a": Made(b"x")}
    found = said(DEBIAN, root, User="node", Volumes={"/data": {}, "/new": {}}, WorkingDir="/app")
    assert sum(text.startswith("DirectoryNotWritable") for text in found) == 5
    assert names(DEBIAN, root, Volumes={"/data": {}}, WorkingDir="/app") == []
    group = {"data": Made(kind="dir", mode=0o775, gid=1000)}
    assert names(DEBIAN, group, User="node", Volumes={"/data": {}}) == []


def test_an_unknown_user_is_told_the_near_one() -> None:
    [found] = findings(ImageExample("", DEBIAN, User="nodee"))
    assert found.rule.name == "UserUnknown" and "did you mean node?" in found.hint


# hostile images


def test_links_that_lead_round_are_no_trouble() -> None:
    round_ = {
        "a": Made(kind="symlink", link="b"),
        "b": Made(kind="symlink", link="a"),
        "bin": Made(kind="symlink", link="bin"),
        "lib64": Made(kind="symlink", link="../../lib64/x"),
        "etc/passwd": Made(kind="symlink", link="passwd"),
        "etc/ld.so.conf": Made(kind="symlink", link="/a"),
    }
    found = names(round_, Cmd=["/a"], User="me", Volumes={"/b": {}}, WorkingDir="/a", Env=["PATH=/bin:/a"])
    assert "StartProgramMissing" in found


def test_a_giant_file_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert names({"app/core": Made(b"\x7fELF", 0o755, size=5_000_000_000)}) == []


def test_more_entries_than_can_be_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MOST_ENTRIES", 10)
    told: list[str] = []
    image = image_of(ImageExample("", {f"f{number}": Made(b"x") for number in range(20)}, Cmd=["/no"]))
    image.unchecked = told.append
    found = [one.rule.name for one in look_at(image, ASKED)]
    assert found == ["StartProgramMissing"]
    assert told and "more than 10 files" in told[0]


def test_a_deep_tree_is_walked() -> None:
    deep = "/".join(["d"] * 2000)
    image = image_of(ImageExample("", {f"{deep}/f": Made(b"x", 0o755)}))
    assert list(look_at(image, ASKED)) == []
    assert MUSL


def test_tools_stand_at_the_layer_that_brought_them() -> None:
    gcc = b"Package: gcc\nStatus: install ok installed\n\n"
    more = gcc + b"Package: curl\nStatus: install ok installed\n\n"
    example = ImageExample(
        "", {"var/lib/dpkg/status": Made(gcc)}, {"var/lib/dpkg/status": Made(more)}, Cmd=["node", "x.js"]
    )
    found = [one for one in findings(example) if one.rule.name == "BuildToolsShipped"]
    assert [one.place.line for one in found if one.place is not None] == [1]


@pytest.mark.parametrize(
    ("config", "level"),
    [
        ({"Cmd": ["node", "index.js"]}, None),
        ({"Cmd": ["npm", "run", "dev"]}, "info"),
        ({"Cmd": ["node"]}, "info"),
        ({}, "info"),
        ({"Cmd": ["node", "index.js"], "Env": ["NODE_ENV=development"]}, "info"),
    ],
)
def test_what_belongs_to_development_weighs_where_a_program_runs(config: dict[str, object], level: str | None) -> None:
    status = {"var/lib/dpkg/status": Made(b"Package: gcc\nStatus: install ok installed\n\n")}
    [found] = [one for one in findings(ImageExample("", status, **config)) if one.rule.name == "BuildToolsShipped"]
    assert found.level == level


def test_an_image_of_another_system_is_asked_for_secrets_and_waste_only() -> None:
    windows = {"os": "windows", "Cmd": ["cmd.exe"], "User": "ContainerUser"}
    assert names({"Files/app/a.txt": Made(b"x")}, **windows) == []
    assert names({"Files/app/key": Made(KEY)}, **windows) == ["SecretInLayer"]


def test_files_that_need_very_much_blame_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    many = tuple(f"lib{number}.so" for number in range(500))
    program = {"srv/run": Made(minimal_elf(GLIBC, many), 0o755)}
    [message] = said(DEBIAN, program, Cmd=["/srv/run"])
    assert message.endswith(
        "needs lib0.so, lib1.so, lib10.so, lib100.so, lib101.so and 495 more, which are not in the image"
    )
    monkeypatch.setattr(linking, "_MOST_LOOKED_UP", 0)
    assert names(DEBIAN, program, Cmd=["/srv/run"]) == []
    monkeypatch.undo()
    monkeypatch.setattr(binaries, "_MOST_NAMES", 100)
    assert names(DEBIAN, program, Cmd=["/srv/run"]) == []


@pytest.mark.parametrize("moment", ["take", "read", "finish"])
def test_a_rule_whose_gathering_raises_takes_nobody_down(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """It is named, and so is nobody else but who asks for the same."""
    layers = (DEBIAN, {"app/id_rsa": Made(b"key\n", 0o600), "etc/shadow": Made(b"root:*:1::::::\nme::1::::::\n")})
    image = image_of(ImageExample("FROM scratch\n", *layers, Cmd=["/bin/sh"]))
    secret = next(look for look in LOOKS if look.page.name == "SecretInLayer")
    (kind,) = secret.needs

    def fail(*given: object) -> bool:
        raise ValueError("no")

    monkeypatch.setattr(kind, moment, fail)
    sheet = check_image(image, Selection())
    assert {defect.rule for defect in sheet.defects} == {look.page.name for look in LOOKS if kind in look.needs}
    assert "SecretInLayer" not in {told.rule.name for told in sheet.told}
    assert "EmptyPassword" in {told.rule.name for told in sheet.told}
