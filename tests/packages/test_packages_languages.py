"""Packages of Ruby, PHP and .NET, and runtimes that no package manager knows."""

import json

from kezuri.packages.package import Bytes, Package, Record
from kezuri.packages.records import kind_of, parse
from kezuri.packages.runtimes import declared


def told(path: str, data: bytes | str, size: int = 0) -> Record | None:
    raw = data.encode() if isinstance(data, str) else data
    kind = kind_of(path, size or len(raw))
    assert kind, path
    return parse(kind, path, len(raw), Bytes(raw))


def only(path: str, data: bytes | str, size: int = 0) -> Package:
    record = told(path, data, size)
    assert record is not None and len(record.packages) == 1
    return record.packages[0]


def test_gems() -> None:
    text = '# stub: rack 3.0.8 ruby lib\n\nGem::Specification.new do |s|\n  s.name = "rack".freeze\n'
    text += '  s.version = "3.0.8"\n  s.licenses = ["MIT".freeze]\nend\n'
    bundle = "usr/local/bundle"
    found = only(f"{bundle}/specifications/rack-3.0.8.gemspec", text)
    assert found == Package(
        "gem",
        "rack",
        "3.0.8",
        (f"{bundle}/specifications/rack-3.0.8.gemspec", f"{bundle}/cache/rack-3.0.8.gem"),
        (f"{bundle}/gems/rack-3.0.8",),
        licence="MIT",
    )
    default = "usr/local/lib/ruby/gems/3.3.0"
    old = text.replace('"3.0.8"\n', 'Gem::Version.new "3.0.8"\n')
    found = only(f"{default}/specifications/default/json-2.7.1.gemspec", old)
    assert found.directories == (f"{default}/gems/json-2.7.1",) and found.version == "3.0.8"
    assert told(f"{default}/specifications/x-1.gemspec", "s.name = foo\n") is None
    assert kind_of("app/own.gemspec", 100) == ""


def test_packages_of_composer() -> None:
    document = {
        "packages": [
            {"name": "symfony/console", "version": "v6.4.1", "install-path": "../symfony/console", "license": ["MIT"]},
            {"name": "a/b", "version": "1"},
            {"name": "evil/x", "version": "1", "install-path": "../../../../../../.."},
            {"name": 3},
            "no",
        ]
    }
    at = "var/www/vendor/composer/installed.json"
    console, own = told(at, json.dumps(document)).packages  # type: ignore[union-attr]
    assert console.directories == ("var/www/vendor/symfony/console",) and console.licence == "MIT"
    assert console.purl() == "pkg:composer/symfony/console@v6.4.1"
    assert own.directories == ("var/www/vendor/a/b",)
    assert told(at, json.dumps(document["packages"][:1])) is not None  # the first form
    for broken in ("", "[", "3", '{"packages": 3}', "[" * 90_000):
        assert told(at, broken) is None


def test_packages_of_conda() -> None:
    at = "opt/conda/conda-meta/numpy-1.26.4-py312_0.json"
    text = json.dumps({"name": "numpy", "version": "1.26.4", "license": "BSD", "files": ["lib/a.py", 3, "../../x"]})
    assert only(at, text) == Package("conda", "numpy", "1.26.4", ("opt/conda/lib/a.py", "x", at), licence="BSD")
    assert only(at, '{"name": "n", "version": "1"}').files == (at,)
    for broken in ("", "[]", '{"name": "n"}'):
        assert told(at, broken) is None
    assert kind_of("opt/conda/conda-meta/state/a.json", 10) == ""


def test_packages_of_dotnet() -> None:
    document = {
        "targets": {
            ".NETCoreApp,Version=v8.0": {
                "app/1.0.0": {"runtime": {"app.dll": {}}},
                "Newtonsoft.Json/13.0.3": {"runtime": {"lib/net6.0/Newtonsoft.Json.dll": {}}},
                "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.0": {"runtime": {"System.dll": {}}},
                "Sqlite/1.2": {
                    "runtimeTargets": {"runtimes/linux-x64/native/libe_sqlite3.so": {"rid": "linux-x64"}},
                    "resources": {"lib/net8.0/de/S.resources.dll": {"locale": "de"}},
                },
            }
        },
        "libraries": {
            "app/1.0.0": {"type": "project"},
            "Newtonsoft.Json/13.0.3": {"type": "package"},
            "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.0": {"type": "runtimepack"},
            "Sqlite/1.2": {"type": "package"},
            "Microsoft.SourceLink.GitHub/8.0.0": {"type": "package"},
        },
    }
    json_, runtime, sqlite = told("app/app.deps.json", json.dumps(document)).packages  # type: ignore[union-attr]
    assert json_ == Package("nuget", "Newtonsoft.Json", "13.0.3", ("app/Newtonsoft.Json.dll",))
    assert runtime == Package("nuget", "Microsoft.NETCore.App.Runtime.linux-x64", "8.0.0", ("app/System.dll",))
    assert sqlite.files == ("app/runtimes/linux-x64/native/libe_sqlite3.so", "app/de/S.resources.dll")
    for broken in ("", "[]", '{"libraries": {}, "targets": []}', '{"libraries": {"a/1": 3}, "targets": {"x": 3}}'):
        assert told("app.deps.json", broken) is None


def test_runtimes_tell_their_version() -> None:
    header = "#define NODE_MAJOR_VERSION 20\n#define NODE_MINOR_VERSION 11\n#define NODE_PATCH_VERSION 1\n"
    node = only("usr/local/include/node/node_version.h", header)
    assert (node.name, node.version) == ("node", "20.11.1") and "usr/local/bin/node" in node.files
    assert node.directories[0] == "usr/local/include/node"
    python = only("usr/local/include/python3.12/patchlevel.h", '#define PY_VERSION      "3.12.3+"\n')
    assert python.version == "3.12.3+" and "usr/local/lib/python3.12" in python.directories
    assert only("include/python3.12/patchlevel.h", '#define PY_VERSION "3.12.3"\n').directories[0] == "lib/python3.12"
    assert only("usr/local/go/VERSION", "go1.22.3\ntime 2024\n")[:5] == (
        "generic",
        "go",
        "1.22.3",
        (),
        ("usr/local/go",),
    )
    java = only("opt/java/openjdk/release", 'IMPLEMENTOR="Eclipse"\nJAVA_VERSION="17.0.9"\n')
    assert (java.name, java.version, java.directories) == ("openjdk", "17.0.9", ("opt/java/openjdk",))
    ruby = 'CONFIG["MAJOR"] = "3"\n  CONFIG["MINOR"] = "3"\n  CONFIG["TEENY"] = "1"\n'
    assert only("usr/local/lib/ruby/3.3.0/x86_64-linux/rbconfig.rb", ruby).version == "3.3.1"
    assert only("usr/local/include/php/main/php_version.h", '#define PHP_VERSION "8.3.1"\n').version == "8.3.1"
    assert (
        "usr/src/php.tar.xz" in only("usr/local/include/php/main/php_version.h", '#define PHP_VERSION "8.3.1"\n').files
    )
    rust = only("usr/local/rustup/toolchains/1.75.0-x86_64-unknown-linux-gnu/lib/rustlib/components", "rustc\ncargo\n")
    assert rust.version == "1.75.0" and rust.directories[0].endswith("linux-gnu")
    assert "usr/local/cargo/bin/cargo" in rust.files
    dotnet = only("usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/.version", "abc\n8.0.1\n")
    assert (dotnet.name, dotnet.version) == ("Microsoft.NETCore.App", "8.0.1")
    assert "usr/share/dotnet/dotnet" in dotnet.files and "usr/share/dotnet/host" in dotnet.directories
    assert only("usr/share/dotnet/sdk/8.0.1/.version", "abc\n").name == "dotnet-sdk"
    for path, text in (("app/release", "v1\n"), ("x/go/VERSION", "1.0\n"), ("include/node/node_version.h", "#if\n")):
        assert told(path, text) is None


def test_a_program_of_node_is_known_by_what_it_calls_itself() -> None:
    mark = b"\0 node.js/v20.11.1\0"
    for before in (0, (1 << 20) - 5, (1 << 20) - 12, (1 << 20) - 18, 3 << 20):
        found = only("nodejs/bin/node", b"node.js/vX" + b"x" * before + mark, 50 << 20)
        assert (found.name, found.version) == ("node", "20.11.1") and "nodejs/bin/node" in found.files
    assert told("nodejs/bin/node", b"x" * 1000, 50 << 20) is None
    assert kind_of("usr/bin/node", 1000) == ""
    box = only("bin/[", b"\x7fELFBusyBox v\0BusyBox v1.37.0 (2024)\0", 900_000)
    assert (box.name, box.version, box.files) == ("busybox", "1.37.0", ("bin/[",))


def test_what_the_config_declares() -> None:
    found = declared({"NODE_VERSION": "20.1.0", "REDIS_VERSION": "7.2.4", "PG_VERSION": "$X", "HTTPD_VERSION": ""})
    assert [(each.name, each.version) for each in found] == [("node", "20.1.0"), ("redis", "7.2.4")]


def test_an_archive_of_java_that_holds_too_much_says_so() -> None:
    import zipfile
    from io import BytesIO

    def jar(members: dict[str, bytes]) -> bytes:
        raw = BytesIO()
        with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as made:
            for name, data in members.items():
                made.writestr(name, data)
        return raw.getvalue()

    properties = b"groupId=g\nartifactId=a%d\nversion=1\n"
    many = jar({f"META-INF/maven/g/a{n}/pom.properties": properties % n for n in range(5001)})
    large = jar({"META-INF/maven/g/a/pom.properties": bytes(70 << 10)})
    signed = b"Manifest-Version: 1.0\nImplementation-Title: s\nImplementation-Version: 2\n\n" + b"Name: x\n" * 10000
    few = jar({"META-INF/maven/g/a/pom.properties": properties % 1})
    told = {}
    for name, data in (("many", many), ("large", large), ("few", few)):
        found = parse("archive", f"app/{name}.jar", len(data), Bytes(data))
        assert found is not None
        told[name] = (len(found.packages), found.trouble)
    end = "holds more than is read of an archive: not all of its packages are known"
    data = jar({"META-INF/MANIFEST.MF": signed})
    named = parse("archive", "app/s.jar", len(data), Bytes(data))
    assert named is not None and (named.packages[0].name, named.packages[0].version, named.trouble) == ("s", "2", "")
    assert told == {"many": (5001, f"/app/many.jar {end}"), "large": (0, f"/app/large.jar {end}"), "few": (1, "")}
