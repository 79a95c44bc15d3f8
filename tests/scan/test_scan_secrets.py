"""Secrets in images: found in every layer, in config and history, at their lines, never shown; and what is none."""

import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.check.image import secret, secret_files
from kezuri.check.image.example import image_of
from kezuri.check.image.guessed import guessed, random_looking
from kezuri.check.image.rule import ExampleLayer, ImageExample, Made
from kezuri.check.image.secret_files import secrets_of
from kezuri.scan.misconfiguration import looks_for, misconfigurations, summary_of
from kezuri.scan.secrets import SecretFiles, secret_findings, severity_of
from kezuri.scan.values import Finding

MIXED = "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cF6hJk"
HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
KEY = b"-----BEGIN RSA PRIVATE KEY-----\n" + b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n" * 3
TOKENS = {
    "aws-access-key-id": "AKIA" + "QRSTUVWX234567YZ",
    "github-token": "ghp_" + MIXED,
    "gitlab-token": "glrt-" + MIXED[:24],
    "npm-token": "npm_" + MIXED,
    "slack-token": "xoxb-" + MIXED[:30],
    "slack-webhook": "https://hooks.slack.com/services/" + "T" + MIXED[:9] + "/B" + MIXED[:9] + "/" + MIXED[:24],
    "stripe-key": "sk_live_" + MIXED[:24],
    "sendgrid-key": "SG." + MIXED[:22] + "." + (MIXED + MIXED)[:43],
    "openai-key": "sk-proj-" + MIXED + "T3BlbkFJ" + MIXED,
    "google-api-key": "AIza" + MIXED[:35],
    "azure-storage-key": "AccountKey=" + (MIXED * 3)[:86] + "==",
    "vault-token": "hvs." + (MIXED * 3)[:95],
    "terraform-token": MIXED[:14] + ".atlasv1." + (MIXED * 2)[:64],
    "grafana-token": "glsa_" + (MIXED * 2)[:41],
    "shopify-token": "shpat_" + HEX[:32],
    "rubygems-key": "rubygems_" + HEX[:48],
    "databricks-token": "dapi" + HEX[:32],
    "new-relic-key": "NRAK-" + "ABC3DEF6GHI9JKL2MNO5PQR8STU",
    "aws-secret-access-key": "AWS_SECRET_ACCESS_KEY=" + (MIXED + MIXED)[:40],
    "alibaba-access-key-id": "LTAI" + MIXED[:20],
    "artifactory-key": "AKCp" + (MIXED * 2)[:69],
    "contentful-token": "CFPAT-" + (MIXED * 2)[:43],
    "doppler-token": "dp.pt." + (MIXED * 2)[:43],
    "dynatrace-token": "dt0c01." + (MIXED * 2).upper()[:24] + "." + (MIXED * 2).upper()[:64],
    "groq-key": "gsk_" + (MIXED * 2)[:52],
    "heroku-key": "HRKU-" + MIXED,
    "mapbox-token": "sk.eyJ" + (MIXED * 2)[:60] + "." + MIXED[:22],
    "nuget-key": "oy2" + (MIXED * 2).lower()[:43],
    "planetscale-token": "pscale_tkn_" + (MIXED * 2)[:43],
    "postman-key": "PMAK-" + HEX[:24] + "-" + HEX[:34],
    "pulumi-token": "pul-" + HEX[:40],
    "sentry-token": "sntrys_" + (MIXED * 2)[:60],
    "square-key": "sq0csp-" + (MIXED * 2)[:43],
    "telegram-token": "123456789:AA" + MIXED[:33],
    "linear-key": "lin_api_" + (MIXED * 2)[:40],
}


def found(*layers: ExampleLayer, **config: object) -> list[Finding]:
    return list(secret_findings(image_of(ImageExample("FROM scratch\n", *layers, **config))))


@pytest.mark.parametrize("kind", TOKENS)
def test_every_form_is_found_in_files_and_in_the_environment_and_never_shown(kind: str) -> None:
    token = TOKENS[kind]
    in_file = found({"app/settings": Made(f"first line\nvalue: {token} \n".encode())})
    in_config = found(Env=[f"VALUE={token}"])
    for (finding,) in (in_file, in_config):
        assert (finding.kind, finding.id) == ("secret", kind)
        assert token not in str(finding) and finding.severity in ("critical", "high", "medium")
    assert (in_file[0].path, in_file[0].line, in_file[0].layer) == ("app/settings", 2, 0)
    assert (in_config[0].path, in_config[0].layer) == ("", -1)
    sample = token[:-14] + "EXAMPLE" + token[-7:]
    assert found({"app/settings": Made(sample.encode())}) == []


@pytest.mark.parametrize(
    "text", ['{"secretAccessKey" : "%s"}', "SecretAccessKey:\n  %s\n", "aws_secret_access_key => %s"]
)
def test_a_mark_may_stand_apart_from_what_it_marks(text: str) -> None:
    (told,) = secret.secrets((text % (MIXED + MIXED)[:40]).encode())
    assert told.kind == "aws-secret-access-key"


@pytest.mark.parametrize(
    ("address", "password"),
    [
        ("postgres://app:Tr0ub4dor@db/x", "Tr0ub4dor"),
        ("see (https://app:Tr0ub4dor@db)", "Tr0ub4dor"),
        ("amqp+x.y-1://:Tr0ub4dor@db", "Tr0ub4dor"),
        ("x://app:Tr0ub4dor@db", ""),
        ("9://app:Tr0ub4dor@db", ""),
        ("://app:Tr0ub4dor@db", ""),
        ("https://app:short@db", ""),
    ],
)
def test_passwords_are_those_of_whole_addresses(address: str, password: str) -> None:
    told = [address[each.start : each.end] for each in secret.passwords_in_urls(address.encode())]
    assert told == [password] * bool(password)


def test_ignore_files_name_them_as_trivy_does() -> None:
    (told,) = found(Env=[f"A={TOKENS['github-token']}"])
    assert "github-pat" in told.aliases
    assert found({"a": Made(KEY)})[0].aliases == (), "some have the same name"


def test_what_a_later_layer_removes_is_still_given_away() -> None:
    first, second = found({"deploy.key": Made(KEY), "kept.key": Made(KEY)}, {"deploy.key": Made(kind="whiteout")})
    assert (first.path, first.layer, first.id, first.severity) == ("deploy.key", 0, "private-key", "high")
    assert "only hides" in first.title and "COPY layer 2" in first.title
    assert second.title == "/kept.key holds a private key"


def test_all_secrets_of_a_file_are_told_at_their_lines_each_once() -> None:
    env = b"PORT=1\nDB_PASSWORD=correcthorse\nAPI_KEY=battery-staple\n" + TOKENS["github-token"].encode() + b"\n"
    told = found({"app/.env": Made(env)})
    assert [(one.line, one.id) for one in told] == [
        (2, "secret-in-env-file"),
        (3, "secret-in-env-file"),
        (4, "github-token"),
    ]


def test_in_an_environment_file_a_secret_of_a_known_form_is_called_by_it() -> None:
    env = b"DB_PASSWORD=correcthorse\nGITHUB_TOKEN=" + TOKENS["github-token"].encode() + b"\n"
    told = found({"app/.env": Made(env)})
    assert [(one.line, one.id, one.severity) for one in told] == [
        (1, "secret-in-env-file", "medium"),
        (2, "github-token", "critical"),
    ]


def test_a_history_gives_away_the_arguments_of_its_steps() -> None:
    history = [
        {"created_by": f"RUN |1 NPM_TOKEN={TOKENS['npm-token']} /bin/sh -c npm ci # buildkit"},
        {"created_by": f"RUN |1 DEPLOY_TOKEN={MIXED} /bin/sh -c ./deploy # buildkit", "empty_layer": True},
        {"created_by": "RUN /bin/sh -c git clone https://me:hunter2hunter@example.com/x", "empty_layer": True},
    ]
    told = found({"a": Made()}, history=history)
    assert [(one.id, one.layer) for one in told] == [
        ("npm-token", 0),
        ("guessed-secret", -1),
        ("password-in-url", -1),
    ]
    assert not any(MIXED in str(one) or "hunter2" in str(one) for one in told)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (f'api_key = "{MIXED}"', 1),
        (f"clientSecret: '{MIXED}'", 1),
        (f'"access_token": "{HEX}"', 1),
        (f"export DB_PASSWORD={MIXED}", 1),
        (f'config.secret_key_base => "{MIXED}"', 1),
        ('password = "correct horse battery staple"', 0),
        ('api_key = "your-api-key-goes-here-1234"', 0),
        ("token = process.env.API_TOKEN_OF_SERVICE_2", 0),
        (f'token_url = "{MIXED}"', 0),
        (f'password_hash = "{HEX}"', 0),
        (f'tokenizer_sha256 = "{HEX}"', 0),
        ('secretName: "MyVeryLongSecretNameOfCluster2"', 0),
        ('api_key = "00000000000000000000000000000000"', 0),
        (f'"integrity": "sha512-{MIXED}"', 0),
        ("x" * 600 + f';token="{MIXED}"', 0),
    ],
)
def test_what_is_given_to_a_secret_name_and_looks_random(text: str, number: int) -> None:
    assert len(list(guessed(text.encode()))) == number
    assert len(found({"app/config.yaml": Made(text.encode())})) == number


@pytest.mark.parametrize(("letters", "least"), [(string.ascii_letters + string.digits, 95), ("0123456789abcdef", 99)])
def test_most_of_what_is_random_looks_so(letters: str, least: int) -> None:
    chance = random.Random(7)
    values = ["".join(chance.choice(letters) for _ in range(32)).encode() for _ in range(200)]
    assert sum(map(random_looking, values)) >= 2 * least
    assert not any(map(random_looking, (b"correct-horse-battery-staple-2", b"MyClusterSecretNumber22OfProduction")))


def test_guesses_are_for_settings_and_programs_of_the_image_s_own() -> None:
    text = Made(f'api_key = "{MIXED}"'.encode())
    assert [one.path for one in found({"app/a.py": text, "app/data.bin": text, "usr/lib/x.py": text})] == ["app/a.py"]
    assert found({"app/package-lock.json": text, "app/node_modules/x/a.js": text}) == []


def test_what_is_left_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_files, "_MOST", 1000)
    unchecked: list[str] = []
    image = image_of(ImageExample("", {f"app/{name}": Made(b"x" * 600) for name in "abc"}))
    image.unchecked = unchecked.append
    assert list(secret_findings(image)) == []
    assert unchecked == ["2 files were not searched for secrets: there are too many of them"]

    unchecked.clear()
    many = b"\n".join(f"A_TOKEN=correcthorse{number}".encode() for number in range(30))
    image = image_of(ImageExample("", {"app/.env": Made(many)}))
    image.unchecked = unchecked.append
    assert len(list(secret_findings(image))) == 20 and unchecked == ["10 more secrets are not listed"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("a/.env", b"SECRET"),
        ("a/.env", b"\n"),
        ("a/.env", b"A_TOKEN "),
        ("a.py", b"secret="),
        ("a.py", b"pwd=" + b"a" * 199),
        ("a.py", b"api_key_" * 5),
        (".kube/config", b"\n\t"),
        (".pypirc", b" \n"),
        ("a", b"a: -----BEGIN PRIVATE KEY-----\n"),
        ("a", b"-----BEGIN PRIVATE KEY-----\n "),
        ("a", b"sk-T3BlbkFJ"),
        ("a", b"A" * 14 + b".atlasv1."),
        ("a", b"x://a:"),
    ],
)
def test_no_text_takes_long(path: str, unit: bytes) -> None:
    """What grows with the square takes hours; there is no clock here, only patience."""
    data = unit * ((1 << 20) // len(unit))
    for _ in (*secrets_of(path, data), *guessed(data), *secret.passwords_in_urls(data)):
        pass


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["app/.env", "a.json", ".netrc", ".docker/config.json"]))
def test_any_bytes_are_searched(data: bytes, path: str) -> None:
    found({path: Made(data + b'\xff password = "' + data)})
    assert random_looking(b"") is False


def test_rules_are_told_as_misconfigurations_with_their_layer() -> None:
    shadow = Made(b"root::19000:0:99999:7:::\n", 0o640)
    image = image_of(
        ImageExample("", {"a": Made()}, {"etc/shadow": shadow}, Env=["DB_PASSWORD=correcthorse"], Cmd=["/a"])
    )
    told = {one.id: one for one in misconfigurations(image, looks_for())}
    assert {"EmptyPassword", "MissingUser", "HealthcheckMissing", "SecretsUsedInArgOrEnv"} <= told.keys()
    empty = told["EmptyPassword"]
    assert (empty.kind, empty.layer, empty.severity) == ("misconfiguration", 1, "critical")
    assert "DKL-LI-0001" in empty.aliases and empty.note and summary_of(empty.id).startswith("No account")
    assert not {"SecretInLayer", "SecretInConfig", "LoaderMissing", "RemovalHidesBytes"} & told.keys()
    assert {look.page.name for look in looks_for(config=False)} == {"EmptyPassword", "AccountTwice"}


def test_every_kind_has_a_severity() -> None:
    assert severity_of("aws-access-key-id") == "critical" and severity_of("guessed-secret") == "medium"
    assert severity_of("private-key") == severity_of("anything-else") == "high"
    assert SecretFiles().room == secret_files._MOST


@pytest.mark.slow
def test_many_secrets_in_one_file_take_no_longer_each() -> None:
    lines = [f'A_TOKEN={TOKENS["github-token"]}\nB_TOKEN="{MIXED}"\n'.encode() for _ in range(8000)]
    many = list(secrets_of(".env", b"".join(lines)))
    assert len(many) == 16000


@given(*[st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=9)] * 2)
def test_secrets_apart_are_those_that_overlap_no_other(
    found: list[tuple[int, int]], known: list[tuple[int, int]]
) -> None:
    one, other = ([secret.Secret("", at, at + size, "") for at, size in spans] for spans in (found, known))
    wanted = [each for each in one if not any(each.start < k.end and k.start < each.end for k in other)]
    assert secret.apart(one, other) == wanted
