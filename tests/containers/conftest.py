"""Images that the tests of the room share."""

import pytest
from tests.containers.containers_place import Place

from kezuri.linux import userns

SCRIPT = """COPY <<EOF /s.sh
trap "echo got-usr1; exit 7" USR1
trap "echo got-term; exit 8" TERM
trap "echo got-int; exit 9" INT
echo up; while :; do sleep 0.1; done
EOF"""


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    made = Place(tmp_path_factory.mktemp("containers"))
    made.image("plain", 'CMD ["sh"]')
    made.image("traps", "STOPSIGNAL SIGUSR1", SCRIPT, 'CMD ["sh", "/s.sh"]')
    return made


@pytest.fixture(scope="session")
def programs() -> set[str]:
    """Our own sandbox and the OCI runtimes that are installed."""
    return {"kezuri", *(name for name in ("crun", "runc") if userns.find_program(name))}
