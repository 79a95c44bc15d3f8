"""What names of images say, and what commands of package managers do."""

import pytest

from kezuri.check.course import joined, within
from kezuri.check.ground import ground
from kezuri.check.managers import use
from kezuri.shell.reader import read


@pytest.mark.parametrize(
    ("image", "family", "libc", "language", "root", "shell"),
    [
        ("node", "debian", "glibc", "node", True, True),
        ("docker.io/library/node:22-alpine3.20", "alpine", "musl", "node", True, True),
        ("index.docker.io/library/python:3.12-slim", "debian", "glibc", "python", True, True),
        ("public.ecr.aws/docker/library/golang:1.24", "debian", "glibc", "go", True, True),
        ("scratch", "scratch", "none", "", True, False),
        ("gcr.io/distroless/static", "distroless", "none", "", True, False),
        ("gcr.io/distroless/base-debian12:debug-nonroot", "distroless", "glibc", "", False, True),
        ("busybox:1.37-musl", "busybox", "none", "", True, True),
        ("busybox", "busybox", "glibc", "", True, True),
        ("php:8.4-fpm", "debian", "glibc", "php", None, True),
        ("cgr.dev/chainguard/node", "wolfi", "glibc", "", False, True),
        ("mcr.microsoft.com/dotnet/sdk:9.0", "debian", "glibc", "dotnet", None, True),
        ("registry.example.com/team/node:22", "", "", "", None, None),
        ("node:22@sha256:" + "0" * 64, "debian", "glibc", "node", True, True),
        ("not a name", "", "", "", None, None),
    ],
)
def test_what_a_name_says(
    image: str, family: str, libc: str, language: str, root: bool | None, shell: bool | None
) -> None:
    found = ground(image)
    assert (found.family, found.libc, found.language, found.root, found.shell) == (family, libc, language, root, shell)


def test_version_and_smaller_variants() -> None:
    assert ground("golang:1.17.2-alpine").version() == (1, 17, 2)
    assert ground("node:lts").version() == ()
    assert ground("node:22").smaller == ("slim", "alpine")
    assert ground("node:22-slim").smaller == ()
    assert ground("node:" + "9" * 50).version() == ()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("npm ci --only=production", ("npm", "install", "production", ())),
        ("npm i --omit dev", ("npm", "install", "production", ())),
        ("npm install --include=dev", ("npm", "install", "everything", ())),
        ("npm install express", ("npm", "add", "", ("express",))),
        ("npm install -g pnpm", ("npm", "add", "", ("pnpm",))),
        ("npm run build:prod", ("npm", "script", "", ("build:prod",))),
        ("npm prune --omit=dev", ("npm", "prune", "production", ())),
        ("yarn", ("yarn", "install", "", ())),
        ("yarn --frozen-lockfile", ("yarn", "install", "", ())),
        ("yarn build", ("yarn", "script", "", ("build",))),
        ("yarn workspaces focus --production", ("yarn", "install", "production", ())),
        ("corepack pnpm i --frozen-lockfile --prod", ("pnpm", "install", "production", ())),
        ("pnpm fetch", ("pnpm", "fetch", "", ())),
        ("NODE_ENV=production bun install -p", ("bun", "install", "production", ())),
        ("pip install --no-cache-dir -r requirements.txt", ("pip", "install", "", ("requirements.txt",))),
        ("python3 -m pip install -rdev.txt", ("pip", "install", "", ("dev.txt",))),
        ("pip3.12 install flask gunicorn", ("pip", "add", "", ("flask", "gunicorn"))),
        ("pip install -e .", ("pip", "build", "", ())),
        ("uv pip install --system -r requirements.txt", ("uv", "install", "", ("requirements.txt",))),
        ("uv sync --frozen --no-dev --no-install-project", ("uv", "install", "production", ())),
        ("poetry install --only main --no-root", ("poetry", "install", "production", ())),
        ("pipenv install --system --deploy", ("pipenv", "install", "production", ())),
        ("go mod download", ("go", "install", "", ())),
        ("env CGO_ENABLED=0 go build -o /x .", ("go", "build", "", ("-o", "/x", "."))),
        ("go install example.com/tool@latest", ("go", "add", "", ("example.com/tool@latest",))),
        ("./mvnw -B dependency:go-offline", ("maven", "install", "", ("dependency:go-offline",))),
        ("./gradlew :app:bootJar", ("gradle", "build", "", ("bootJar",))),
        ("cargo build --release", ("cargo", "build", "", ())),
        ("cargo install cargo-chef", ("cargo", "add", "", ("cargo-chef",))),
        ("bundle install --without development", ("bundler", "install", "production", ())),
        ("composer install --no-dev", ("composer", "install", "production", ())),
        ("dotnet restore a.csproj", ("nuget", "install", "", ("a.csproj",))),
        ("sudo apt-get install -y curl", ("apt-get", "add", "", ("curl",))),
        ("apk --no-cache add --virtual .b gcc", ("apk", "add", "", ("gcc",))),
        ("echo npm ci", None),
        ("npm --version", None),
    ],
)
def test_what_a_command_does(command: str, said: tuple[str, str, str, tuple[str, ...]] | None) -> None:
    found = use(read(command).commands[0])
    assert said == (None if found is None else (found.manager.name, found.deed, found.scope, found.words))


def test_paths() -> None:
    assert joined("/app", "./x/../y/") == "/app/y"
    assert joined("/app", "/srv") == "/srv"
    assert joined("/app", "$HOME/x") == "$HOME/x"
    assert within("/app/x", "/app")
    assert not within("/apple", "/app")
    assert within("/app", "/")
