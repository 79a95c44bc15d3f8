"""Files that lock versions: what each form says, and what is made of damaged ones."""

import json
import random

import pytest

from kezuri.packages import locks
from kezuri.packages.locks import Unreadable, read

FORMS: dict[str, tuple[str, list[str]]] = {
    "package-lock.json": (
        json.dumps(
            {
                "lockfileVersion": 3,
                "packages": {
                    "": {"name": "own", "version": "1.0.0"},
                    "node_modules/a": {"version": "1.2.3", "license": "MIT"},
                    "node_modules/a/node_modules/@s/b": {"version": "2.0.0"},
                    "node_modules/alias": {"name": "real", "version": "3.0.0"},
                    "node_modules/dev": {"version": "1.0.0", "dev": True},
                    "node_modules/linked": {"resolved": "packages/x", "link": True},
                },
            }
        ),
        ["npm:a@1.2.3", "npm:@s/b@2.0.0", "npm:real@3.0.0"],
    ),
    "npm-shrinkwrap.json": (
        '{"dependencies": {"a": {"version": "1", "dependencies": {"b": {"version": "2"}}},'
        ' "c": {"version": "3", "dev": true}}}',
        ["npm:a@1", "npm:b@2"],
    ),
    "yarn.lock": (
        '# yarn lockfile v1\n\n"@babel/core@^7.0.0", "@babel/core@^7.1.0":\n  version "7.1.0"\n  resolved "https://x/y"\n'
        '  dependencies:\n    version "9.9.9"\n\nms@2.0.0:\n  version "2.0.0"\n\n"b@npm:^1.0.0":\n  version: 1.5.0\n'
        '  resolution: "b@npm:1.5.0"\n\n"own@workspace:.":\n  version: 0.0.0-use.local\n'
        '\n"old@npm:lodash@4.17.4":\n  version "4.17.4"\n\nc@npm:@babel/c@^7, d@npm:@babel/c@7:\n  version "7.0.0"\n',
        ["npm:@babel/core@7.1.0", "npm:ms@2.0.0", "npm:b@1.5.0", "npm:lodash@4.17.4", "npm:@babel/c@7.0.0"],
    ),
    "pnpm-lock.yaml": (
        "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n"
        "packages:\n\n  '@babel/core@7.0.0':\n    engines: {node: '>=6'}\n"
        "  ms@2.0.0:\n    x: y\n  /old/1.0.0:\n    dev: false\n"
        "  /peer@1.1.0(a@2.0.0):\n\nsnapshots:\n\n  other@1.0.0:\n",
        ["npm:@babel/core@7.0.0", "npm:ms@2.0.0", "npm:old@1.0.0", "npm:peer@1.1.0"],
    ),
    "requirements-prod.txt": (
        "Flask==2.0.1\nrequests[security] == 2.25.0 ; python_version > '3' \\\n    --hash=sha256:1\n"
        "# x==1\nmade=='{{ x }}'\nopen>=1\nany==1.*\n-r a.txt\n",
        ["pypi:flask@2.0.1", "pypi:requests@2.25.0"],
    ),
    "Pipfile.lock": (
        '{"default": {"A_b": {"version": "==1"}, "git": {"ref": "x"}}, "develop": {"c": {"version": "==2"}}}',
        ["pypi:a-b@1"],
    ),
    "poetry.lock": (
        '[[package]]\nname = "A.b"\nversion = "1"\n[[package]]\nname = "d"\nversion = "1"\ncategory = "dev"\n',
        ["pypi:a-b@1"],
    ),
    "uv.lock": (
        'version = 1\n[[package]]\nname = "own"\nversion = "1"\nsource = { virtual = "." }\n'
        '[[package]]\nname = "a"\nversion = "2"\n',
        ["pypi:a@2"],
    ),
    "Cargo.lock": (
        '[[package]]\nname = "own"\nversion = "0.1.0"\n'
        '[[package]]\nname = "serde"\nversion = "1.0.1"\nsource = "registry+x"\n',
        ["cargo:serde@1.0.1"],
    ),
    "go.mod": (
        "module example.com/own\n\ngo 1.22\n\nrequire golang.org/x/sys v0.1.0\nrequire (\n\tgithub.com/a/b v1.0.0\n"
        "\tgopkg.in/yaml.v3 v3.0.0 // indirect\n\texample.com/local v0.0.0\n)\n"
        "replace gopkg.in/yaml.v3 => github.com/f/yaml v3.0.9\n"
        "replace (\n\texample.com/local => ./local\n)\nexclude github.com/a/b v0.9.0\n",
        ["golang:golang.org/x/sys@v0.1.0", "golang:github.com/a/b@v1.0.0", "golang:github.com/f/yaml@v3.0.9"],
    ),
    "Gemfile.lock": (
        "PATH\n  remote: .\n  specs:\n    own (1.0)\n\nGEM\n  remote: https://x/\n  specs:\n"
        "    nokogiri (1.13.0-x86_64-linux)\n"
        "      racc (~> 1.4)\n    rails (6.1.0)\n\nDEPENDENCIES\n  rails\n",
        ["gem:nokogiri@1.13.0", "gem:rails@6.1.0"],
    ),
    "composer.lock": (
        '{"packages": [{"name": "a/b", "version": "v1.0", "license": ["MIT", "BSD"]}], '
        '"packages-dev": [{"name": "c/d", "version": "1"}]}',
        ["composer:a/b@v1.0"],
    ),
    "packages.lock.json": (
        '{"dependencies": {"net8.0": {"A.B": {"type": "Direct", "resolved": "1.2"}, "own": {"type": "Project"}}}}',
        ["nuget:A.B@1.2"],
    ),
    "gradle.lockfile": ("# x\norg.a:b:1.2=compileClasspath\nempty=annotationProcessor\n", ["maven:org.a:b@1.2"]),
}


@pytest.mark.parametrize("name", sorted(FORMS))
def test_each_form(name: str) -> None:
    text, expected = FORMS[name]
    found = [f"{each.ecosystem}:{each.full_name}@{each.version}" for each in read(name, text.encode())]
    assert found == expected


def test_what_is_no_lock_has_no_reader() -> None:
    assert locks.reader("requirements.txt") and not locks.reader("requirements.txt.bak") and not locks.reader("pom.xml")
    assert read("composer.lock", FORMS["composer.lock"][0].encode())[0].licence == "MIT OR BSD"


def test_damaged_ones_are_said_and_never_more() -> None:
    choice = random.Random(4)
    for name, (text, _) in FORMS.items():
        for _ in range(15):
            data = bytearray(text.encode())
            for _ in range(choice.randint(1, 6)):
                data[choice.randrange(len(data))] = choice.choice(b'\0\xff"{}[]:@()\n 9')
            try:
                read(name, bytes(data[: choice.choice((len(data), choice.randrange(len(data))))]))
            except Unreadable:
                pass
    for broken in (
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[]",
        b"1",
        b'{"packages": 1}',
        b'{"packages": {"node_modules/a": 1}}',
    ):
        with pytest.raises(Unreadable):
            read("package-lock.json", broken)
    for lacking in (b'{"packages": [{"name": "a/b"}]}', b'{"packages": [{"version": "1"}]}', b'{"packages": ["a"]}'):
        with pytest.raises(Unreadable, match="the form that its name says"):
            read("composer.lock", lacking)
    assert read("go.mod", b"require " + b"a." * 200_000) == []
    many = {"packages": {f"node_modules/{n}": {"version": "1"} for n in range(100_002)}}
    with pytest.raises(Unreadable, match="too many"):
        read("package-lock.json", json.dumps(many).encode())
