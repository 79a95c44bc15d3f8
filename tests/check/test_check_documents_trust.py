"""Builds of what strangers wrote: when it is a warning, when it is told, when nothing is said."""

import pytest
from tests.check.check_documents import findings, subject

CHECKOUT = (
    "      - uses: actions/checkout@v4.1.7\n        with:\n          ref: ${{ github.event.pull_request.head.sha }}\n"
)
BUILD = "      - uses: docker/build-push-action@v7\n        with:\n          context: .\n"
SECRET = "          secrets: npm=${{ secrets.NPM_TOKEN }}\n"
TOP = "on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n"


def levels(text: str) -> list[tuple[str, str]]:
    found = findings(subject(text, ".github/workflows/a.yml"), "StrangersCodeBuilt")
    return [(finding.level or finding.rule.severity, finding.message) for finding in found]


@pytest.mark.parametrize(
    ("text", "level", "what"),
    [
        (TOP + CHECKOUT + BUILD + SECRET, "warning", "secrets"),
        (TOP + CHECKOUT + BUILD, "warning", "token"),
        (TOP + CHECKOUT.replace("v4.1.7", "v4") + BUILD, "info", "token"),
        (TOP + CHECKOUT.replace("v4.1.7", "v4.9.0") + BUILD + SECRET, "info", "secrets"),
        (TOP + CHECKOUT.replace("v4.1.7", "v3") + BUILD, "warning", "token"),
        (TOP + CHECKOUT.replace("v4.1.7", "a" * 40) + BUILD + SECRET, "info", "secrets"),
        (TOP + CHECKOUT.replace("v4.1.7", "v7") + "          allow-unsafe-pr-checkout: true\n" + BUILD + SECRET,
         "warning", "secrets"),
        (TOP + CHECKOUT + BUILD + "          push: true\n          tags: o/a:latest\n", "warning", "o/a:latest"),
        (TOP + CHECKOUT + BUILD + "          push: ${{ github.event_name != 'pull_request' }}\n          tags: o/a:1\n",
         "warning", "o/a:1"),
        (TOP + CHECKOUT + "      - run: docker build -t a .\n", "warning", "token"),
        (TOP + CHECKOUT.replace("v4.1.7", "v6.0.1") + "      - run: docker build --secret id=npm .\n",
         "warning", "secrets"),
        (TOP.replace("_target\n", "_target\npermissions:\n  contents: write\n") + CHECKOUT + BUILD, "warning", "token"),
        (TOP + CHECKOUT.replace("${{ github.event.pull_request.head.sha }}",
                                "refs/pull/${{ github.event.number }}/merge") + BUILD, "warning", "token"),
    ],
)  # fmt: skip
def test_a_strangers_code_with_secrets_in_reach_is_found(text: str, level: str, what: str) -> None:
    ((found, message),) = levels(text)
    assert found == level
    assert what in message


@pytest.mark.parametrize(
    "text",
    [
        TOP.replace("_target", "") + CHECKOUT + BUILD + SECRET,
        TOP.replace("pull_request_target", "{pull_request_target: {types: [labeled]}}") + CHECKOUT + BUILD + SECRET,
        TOP.replace("    steps", "    environment: approved\n    steps") + CHECKOUT + BUILD + SECRET,
        TOP.replace("    steps", "    if: contains(github.event.pull_request.labels.*.name, 'ok')\n    steps")
        + CHECKOUT + BUILD + SECRET,
        TOP + "      - uses: actions-cool/check-user-permission@v2\n" + CHECKOUT + BUILD + SECRET,
        TOP + "      - uses: actions/checkout@v4.1.7\n" + BUILD + SECRET,  # the repository's own code
        TOP + CHECKOUT.replace("pull_request.head.sha", "pull_request.head.ref") + BUILD + SECRET,
        TOP + CHECKOUT + BUILD.replace("context: .", "load: true") + SECRET,  # the context is the repository's commit
        TOP + CHECKOUT + "          persist-credentials: false\n" + BUILD,
        TOP.replace("_target\n", "_target\npermissions:\n  contents: read\n") + CHECKOUT + BUILD,
        TOP + CHECKOUT.replace("v4.1.7", "v6.0.1") + BUILD,
        TOP + CHECKOUT + "          path: theirs\n" + BUILD + SECRET,
        TOP + CHECKOUT + "      - run: ./lint.sh\n",
        TOP + CHECKOUT + "          persist-credentials: false\n" + BUILD
        + "          push: true\n          tags: o/a:pr-${{ github.event.number }}\n",
    ],
)  # fmt: skip
def test_nothing_is_said_where_nothing_is_in_reach_or_somebody_looked_first(text: str) -> None:
    assert not levels(text)
