"""What the rules about documents must not say, and what they say only where they know enough."""

import pytest
from tests.check.check_documents import findings, said, subject

WORKFLOW = ".github/workflows/build.yml"
JOB = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n"
NODE = "FROM node:20-alpine\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\nCOPY . .\n"


def named(text: str, path: str, files: dict[str, str] | None = None) -> set[str]:
    return {name for name, _ in said(text, path, files)}


def loud(text: str, path: str, files: dict[str, str] | None = None) -> set[str]:
    """The rules that warn."""
    return {
        finding.rule.name
        for finding in findings(subject(text, path, files))
        if (finding.level or finding.rule.severity) in ("warning", "error")
    }


def steps(*lines: str, head: str = JOB) -> str:
    return head + "".join(f"      {line}\n" for line in lines)


PUSH = ("- uses: docker/build-push-action@v7", "  with:", "    push: true", "    tags: ghcr.io/o/a:1")


@pytest.mark.parametrize(
    ("text", "silent"),
    [
        (steps("- uses: dtolnay/rust-toolchain@master", "- run: docker build ."), "ActionFollowsBranch"),
        (steps("- uses: actions/stale@main"), "ActionFollowsBranch"),  # builds no image
        (steps("- uses: ./.github/actions/x", "- run: docker build ."), "ActionFollowsBranch"),
        (steps("- uses: o/a@main-2", "- run: docker build ."), "ActionFollowsBranch"),
        (steps("- uses: ./login", *PUSH), "PushWithoutLogin"),
        (steps("- run: aws ecr get-login-password | docker login --password-stdin x", *PUSH), "PushWithoutLogin"),
        (steps(*PUSH[:3], "    tags: localhost:5000/a:1"), "PushWithoutLogin"),
        (steps(*PUSH, head=JOB.replace("ubuntu-latest", "self-hosted")), "PushWithoutLogin"),
        (steps(*PUSH, head=JOB.replace("    steps", "    services: {r: {image: registry}}\n    steps")),
         "PushWithoutLogin"),
        (steps(*PUSH, head=JOB.replace("on: push", "on: {pull_request: {types: [closed]}}")), "PushFromPullRequest"),
        (steps("- if: github.event_name == 'push'", *(f"  {line[2:]}" for line in PUSH),
               head=JOB.replace("on: push", "on: [push, pull_request]")), "PushFromPullRequest"),
        (steps(*PUSH[:3], "    tags: a:pr-${{ github.event.number }}",
               head=JOB.replace("on: push", "on: pull_request")), "PushFromPullRequest"),
        (steps(*PUSH[:3], "    tags: ${{ steps.meta.outputs.tags }}"), "NoVersionTag"),
        (steps(*PUSH[:3], "    tags: a:latest,a:${{ github.sha }}"), "NoVersionTag"),
        (steps(*PUSH[:3], "    tags: ${{ env.IMAGE }}"), "NoVersionTag"),
        (steps(*PUSH, "    no-cache: true"), "BuildCacheNotKept"),
        (steps(*PUSH, "    build-args: |", "      VERSION=${{ github.sha }}", "      USER=${{ secrets.DOCKER_USER }}",
               "      VITE_API_KEY=${{ secrets.VITE_API_KEY }}"), "SecretInBuildArgs"),
        (steps("- run: docker build --build-arg TOKEN_URL=$X --build-arg NODE_VERSION=20 ."), "SecretInBuildArgs"),
        (steps("- run: trivy image -f sarif -o out.sarif a:1"), "ScanNeverFails"),
        (steps("- run: trivy image a:1 | tee out.txt"), "ScanNeverFails"),
        (steps("- run: trivy image a:1 > out.txt"), "ScanNeverFails"),
        (steps("- run: trivy fs ."), "ScanNeverFails"),
        (steps("- run: trivy image --exit-code 0 a:1"), "ScanNeverFails"),
        (steps("- uses: aquasecurity/trivy-action@0.35.0", "  with: {image-ref: a, exit-code: '0'}"), "ScanNeverFails"),
        (steps("- env: {TRIVY_EXIT_CODE: 1}", "  run: trivy image a:1"), "ScanNeverFails"),
        (steps("- uses: aquasecurity/trivy-action@0.35.0", "  with: {scan-type: fs}", "- run: docker build ."),
         "ScanNeverFails"),
        (steps("- run: docker run -v /var/run/docker.sock:/var/run/docker.sock aquasec/trivy:0.69.3 image a"),
         "UnpinnedImageWithDockerSocket"),
        (steps('- run: docker run -v "/var/run/docker.sock:/x" "$IMAGE" x'), "UnpinnedImageWithDockerSocket"),
        (steps("- run: docker scan-all", "- run: docker run x scan"), "DockerScanRetired"),
        (steps("- run: sudo apt-get install -y docker-compose", "- run: docker-compose up"), "ComposeV1Command"),
        (steps("- run: docker-compose up", head=JOB.replace("ubuntu-latest", "[self-hosted, x]")), "ComposeV1Command"),
        (steps("- uses: github/codeql-action/upload-sarif@v4", "  with: {sarif_file: x}"), "SarifUploadNotPermitted"),
        (steps("- uses: github/codeql-action/upload-sarif@v4", "  with: {sarif_file: x}",
               head=JOB.replace("on: push", "on: push\npermissions: write-all")), "SarifUploadNotPermitted"),
        (steps("- uses: docker/metadata-action@v6", "  with:", "    images: a", "    tags: type=sha,format=long",
               "- uses: aquasecurity/trivy-action@0.35.0", "  with:", "    image-ref: a:sha-${{ github.sha }}"),
         "ScannedTagDiffers"),
        (steps("- uses: docker/metadata-action@v6", "  with:", "    images: a", "    tags: |", "      type=sha",
               "      type=raw,value=sha-${{ github.sha }}",
               "- uses: aquasecurity/trivy-action@0.35.0", "  with:", "    image-ref: a:sha-${{ github.sha }}"),
         "ScannedTagDiffers"),
        (steps("- uses: docker/metadata-action@v6", "  with: {images: a, tags: 'type=semver,pattern={{version}}'}",
               head=JOB.replace("on: push", "on: [push, workflow_dispatch]")), "TagRuleNeverFires"),
    ],
)  # fmt: skip
def test_a_workflow_that_is_right_is_not_blamed(text: str, silent: str) -> None:
    assert silent not in named(text, WORKFLOW)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (steps("- run: |", "    echo hi", "    docker build --build-arg NPM_TOKEN=${{ secrets.NPM_TOKEN }} ."),
         "SecretInBuildArgs"),
        (steps("- env: {T: '${{ secrets.NPM_TOKEN }}'}", '  run: docker build --build-arg "NPM_TOKEN=$T" .'),
         "SecretInBuildArgs"),
        (steps("- run: sudo -E docker scan a:1"), "DockerScanRetired"),
        (steps("- run: docker login -u a -p ${{ secrets.P }}"), "PasswordOnCommandLine"),
        (steps("- run: docker run --rm --name t -v /var/run/docker.sock:/s -e A=b wagoodman/dive:latest a"),
         "UnpinnedImageWithDockerSocket"),
        (steps("- uses: actions/upload-artifact@v3", "- run: docker build ."), "OutdatedAction"),
        (steps(*PUSH, head=JOB.replace("on: push", "on: [push, pull_request]")), "PushFromPullRequest"),
        (steps("- uses: docker/login-action@v4", "  with: {registry: ghcr.io, password: '${{ github.token }}'}",
               "- uses: docker/build-push-action@v7", "  with:",
               "    outputs: type=image,name=ghcr.io/o/a,push-by-digest=true,push=${{ inputs.x }}",
               head=JOB.replace("    steps", "    permissions: {contents: read}\n    steps")), "PackagesWriteMissing"),
    ],
)  # fmt: skip
def test_what_stands_in_scripts_and_inputs_is_found(text: str, rule: str) -> None:
    assert rule in named(text, WORKFLOW)


def test_places_in_scripts_are_exact() -> None:
    text = steps(
        "- run: |", "    echo hi", "    docker build \\", "      --build-arg NPM_TOKEN=${{ secrets.NPM_TOKEN }} ."
    )
    (finding,) = findings(subject(text, WORKFLOW), "SecretInBuildArgs")
    assert finding.place is not None
    span = finding.place.span
    assert text[span.start : span.end] == "NPM_TOKEN=${{ secrets.NPM_TOKEN }}"


def test_a_pipeline_of_gitlab_is_read_too() -> None:
    text = "build:\n  image: docker:27\n  script:\n    - docker scan app:1\n    - docker login -u a -p $P\n"
    assert said(text, ".gitlab-ci.yml") == [("DockerScanRetired", 4), ("PasswordOnCommandLine", 5)]


@pytest.mark.parametrize(
    ("service", "silent"),
    [
        ("image: node:20\n    healthcheck: {test: [CMD, curl, -f, x]}", "ServiceHealthcheckProgramMissing"),
        ("image: nginx:alpine\n    healthcheck: {test: [CMD, curl, -f, x]}", "ServiceHealthcheckProgramMissing"),
        ("image: o/app:1\n    healthcheck: {test: [CMD, curl, -f, x]}", "ServiceHealthcheckProgramMissing"),
        ("image: node:20-alpine\n    healthcheck: {test: [CMD, wget, -q, x]}", "ServiceHealthcheckProgramMissing"),
        ("image: node:${V}-alpine\n    healthcheck: {test: [CMD, curl, x]}", "ServiceHealthcheckProgramMissing"),
        ("image: alpine:3.20\n    command: sh -c 'apk add curl && x'\n    healthcheck: {test: curl x}",
         "ServiceHealthcheckProgramMissing"),
        ("image: node:20-alpine\n    healthcheck: {test: wget -q x || curl -f x}", "ServiceHealthcheckProgramMissing"),
        ('image: a:1\n    healthcheck: {test: ["CMD", "sh", "-c", "a || b"]}', "HealthcheckTestForm"),
        ('image: a:1\n    healthcheck: {test: ["CMD-SHELL", "curl -f x || exit 1"]}', "HealthcheckTestForm"),
        ('image: a:1\n    healthcheck: {test: ["NONE"]}', "HealthcheckTestForm"),
        ("image: a:1\n    environment: {DB_PASSWORD_FILE: /run/secrets/x, TOKEN_URL: http://x}",
         "PasswordInComposeFile"),
        ("image: a:1\n    environment: [DB_PASSWORD, 'API_KEY=${API_KEY:?}', PASSWORD=changeme]",
         "PasswordInComposeFile"),
        ("image: postgres:16\n    ports: ['127.0.0.1:5432:5432']", "DatabasePublished"),
        ("image: o/app:1\n    ports: ['5432:5432']", "DatabasePublished"),
        ("image: docker:27-dind\n    privileged: true", "PrivilegedService"),
        ("build: .\n    image: o/app:latest", "ServiceImageWithoutVersion"),
        ("image: o/app@sha256:" + "a" * 64, "ServiceImageWithoutVersion"),
        ("image: a:1\n    command: npm ci && npm start", "InitMissing"),
        ("image: a:1\n    command: node server.js", "InitMissing"),
        ("image: a:1\n    deploy: {replicas: 3}\n    ports: ['8080-8082:80']", "FixedNameWithReplicas"),
        ("image: a:1\n    network_mode: host\n    depends_on: [b]", "NetworkNotShared"),
        ("image: a:1\n    volumes: ['./x:/y', '/a:/b', '${D:-./z}:/z', 'C:\\\\x:/y']", "UndeclaredName"),
        ("build: {context: ., args: {NODE_VERSION: 20, NEXT_PUBLIC_API_KEY: x, TOKEN_URL: y}}",
         "SecretInComposeBuildArgs"),
    ],
)  # fmt: skip
def test_a_service_that_is_right_is_not_blamed(service: str, silent: str) -> None:
    assert silent not in named(f"services:\n  a:\n    {service}\n", "compose.yaml")


def test_a_password_for_development_is_no_warning() -> None:
    text = "services:\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: postgres\n"
    assert not loud(text, "compose.yaml")
    assert "PasswordInComposeFile" in loud(text, "compose.prod.yaml")
    token = f"services:\n  a:\n    image: a:1\n    environment:\n      X: ghp_{'a1B2' * 9}\n"
    assert "PasswordInComposeFile" in loud(token, "compose.yaml")
    (finding,) = findings(subject(token, "compose.yaml"), "PasswordInComposeFile")
    assert "a1B2a1B2" not in finding.message


def test_a_service_is_judged_with_its_dockerfile() -> None:
    text = (
        "services:\n  a:\n    build: {context: ./web, target: run}\n    healthcheck:\n      test: [CMD, curl, -f, x]\n"
    )
    built = f"{NODE}FROM node:20-alpine AS run\n"
    assert "ServiceHealthcheckProgramMissing" in named(text, "compose.yaml", {"web/Dockerfile": built})
    brings = f"{built}RUN apk add --no-cache curl\n"
    assert "ServiceHealthcheckProgramMissing" not in named(text, "compose.yaml", {"web/Dockerfile": brings})
    assert "ServiceHealthcheckProgramMissing" not in named(text, "compose.yaml", {})
    assert "ServiceHealthcheckProgramMissing" not in named(
        text, "compose.yaml", {"web/Dockerfile": "FROM x\nFROM y AS z\n"}
    )


def test_names_that_nobody_declares() -> None:
    text = "services:\n  Backend:\n    image: a:1\n  web:\n    image: b:1\n    depends_on: [backend]\n"
    assert said(text, "compose.yaml") == [("UndeclaredName", 6)]
    optional = text.replace("[backend]", "{backend: {condition: service_started, required: false}}")
    assert not named(optional, "compose.yaml")
    assert not named(f"include: [other.yaml]\n{text}", "compose.yaml")
    volume = "services:\n  a:\n    image: a:1\n    volumes: ['data:/x']\n"
    assert named(volume, "compose.yaml") == {"UndeclaredName"}
    assert not named(f"{volume}volumes: {{data: }}\n", "compose.yaml")


def test_an_override_is_judged_with_its_base() -> None:
    base = "services:\n  app:\n    build: .\n    networks: [back]\nnetworks: {back: {}}\n"
    more = "services:\n  app: {restart: always}\n  web:\n    image: nginx:1.27\n    depends_on: [app]\n"
    assert "NetworkNotShared" in named(more, "compose.prod.yaml", {"compose.yaml": base})
    assert "NetworkNotShared" not in named(more, "compose.prod.yaml")
    assert "UndeclaredName" not in named("services:\n  a: {image: a:1, networks: [x]}\n", "compose.prod.yaml", {})


@pytest.mark.parametrize(
    ("volumes", "rule"),
    [
        ("['.:/app']", "SourceMountHidesInstall"),
        ("['./:/app/']", "SourceMountHidesInstall"),
        ("[{type: bind, source: ., target: /app}]", "SourceMountHidesInstall"),
        ("['.:/app', 'm:/app/node_modules']", ""),
        ("['./src:/app/src']", ""),
        ("['.:/other']", ""),
        ("['.:/app', '/app/node_modules']", "StaleAnonymousVolume"),
    ],
)
def test_mounts_of_sources(volumes: str, rule: str) -> None:
    text = f"services:\n  a:\n    build: .\n    volumes: {volumes}\nvolumes: {{m: {{}}}}\n"
    found = named(text, "compose.yaml", {"Dockerfile": NODE})
    assert found == ({rule} if rule else set())
    installs = text.replace("build: .", "build: .\n    command: sh -c 'npm ci && npm run dev'")
    assert not named(installs, "compose.yaml", {"Dockerfile": NODE})
    assert "SourceMountHidesInstall" not in named(text, "compose.yaml", {"Dockerfile": NODE, "node_modules/a": ""})


def test_aliases_and_merge_keys_are_seen_through() -> None:
    text = (
        "x-a: &a\n  image: postgres\n  healthcheck: {test: [CMD, curl, x]}\nservices:\n  a:\n    <<: *a\n"
        "  b:\n    image: b:1\n    depends_on: [a]\n"
    )
    assert "DependsOnWithoutHealth" in named(text, "compose.yaml")


@pytest.mark.parametrize(
    ("lines", "rules"),
    [
        ("*.md\n!README.md\n", set()),
        ("!README.md\n*.md\n", {"IgnoreExceptionWithoutEffect"}),
        ("*\n!src\n!package.json\n", set()),
        ("dist\n!dist/keep\n", set()),
        ("dist\n!dist\n", {"IgnoreExceptionWithoutEffect"}),
        (".env\n.env.*\n!.env.example\n", set()),
        ("**/__pycache__\n__pycache__\n", set()),
        ("/__pycache__\n", set()),
        ("a # b\n", {"CommentBehindPattern"}),
        ("a\\ #b\nfile#1\n#c\n # d\n", {"CommentBehindPattern"}),
        ("", {"EmptyIgnoreFile"}),
    ],
)
def test_lines_of_ignore_files(lines: str, rules: set[str]) -> None:
    assert named(lines, ".dockerignore") == rules


def test_files_of_the_context_decide_about_ignore_files() -> None:
    whole = {"Dockerfile": NODE, "packages/a/node_modules/x": "", "package.json": ""}
    assert loud("node_modules\n", ".dockerignore", whole) == {"IgnorePatternOnlyAtRoot"}
    assert not loud("**/node_modules\n", ".dockerignore", whole)
    assert not loud(
        "node_modules\n", ".dockerignore", {"Dockerfile": "FROM x\nCOPY src ./\n", **whole} | {"Dockerfile": "FROM x\n"}
    )
    remark = {"Dockerfile": NODE, "a # b": ""}
    assert "CommentBehindPattern" not in named("a # b\n", ".dockerignore", remark)
    local = {"Dockerfile": NODE, ".gitignore": ".env\nnode_modules/\n"}
    assert "LocalFilesNotIgnored" not in named("*\n!src\n", ".dockerignore", local)
    assert "LocalFilesNotIgnored" not in named(
        ".git\n", ".dockerignore", local | {"Dockerfile": "FROM x\nCOPY src .\n"}
    )


def test_a_document_that_does_not_parse_keeps_what_was_read() -> None:
    document = subject("version: '3'\nservices:\n  a:\n    image: postgres\n   b: c\n", "compose.yaml")
    assert document.error is not None
    found = {finding.rule.name for finding in findings(document)}
    assert "ObsoleteComposeVersion" in found


@pytest.mark.parametrize(
    "text",
    [
        "services: []\n",
        "services: {a: []}\n",
        "services: {a: {ports: {}, volumes: x, depends_on: 1, environment: [[]], healthcheck: [], build: []}}\n",
        "services: {a: {image: [], deploy: x, networks: 1, command: {}, privileged: [], container_name: {}}}\n",
        "services: {a: &a {depends_on: {a: *b}}}\n",
    ],
)
def test_other_types_than_expected_do_no_harm(text: str) -> None:
    findings(subject(text, "compose.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        "on: []\njobs: []\n",
        "on: {push: 1}\njobs: {a: {steps: {}, permissions: [], env: [], needs: [a], runs-on: {}}}\n",
        "on: push\njobs: {a: {needs: b, if: x, steps: [1, {uses: []}, {run: {}}]}, b: {needs: a}}\n",
        "on: push\njobs: {a: {steps: [{uses: docker/build-push-action@v7, with: []}, {run: 'docker'}]}}\n",
    ],
)
def test_other_types_in_workflows_do_no_harm(text: str) -> None:
    findings(subject(text, WORKFLOW))


def test_a_service_may_be_in_a_file_that_is_named_with_this_one() -> None:
    text = "services:\n  a: {image: a:1, depends_on: [b]}\n  c: {image: c:1, networks: [d]}\n"
    found = findings(subject(text, "compose.yaml"), "UndeclaredName")
    assert [(one.message.split()[2], one.level) for one in found] == [("b,", "info"), ("d,", None)]
