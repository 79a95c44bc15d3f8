"""Asks the peers that are installed, and keeps what they answer for the tests.

    python -m tests.peers.peers_record [PEER...]     # docker, buildah, buildkit

Needs root. The newer BuildKit is looked for on PATH and in the directory KEZURI_PEER_BUILDKIT. kezuri is compared with
the new answers at the same time: the exit code is 1 when something differs that is not meant.
"""

import sys
import tempfile

import pytest
from tests.peers.peers_records import PEERS, Records


def main(names: list[str]) -> int:
    """Record these peers, or all; what was recorded of which version is printed."""
    unknown = set(names) - set(PEERS)
    if unknown:
        print(f"no peer {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}", file=sys.stderr)
        return 2
    wanted = names or list(PEERS)
    options = [word for name in wanted for word in ("--record", name)]
    for name in wanted:
        Records.read(name).forget()
    with tempfile.TemporaryDirectory(prefix="kr") as scratch:
        code = pytest.main(["-q", f"--basetemp={scratch}/tests", "tests/peers", "-k", " or ".join(wanted), *options])
    for name in wanted:
        records = Records.read(name)
        print(f"{name}: {len(records.answers)} tests, {records.version or 'never recorded'}")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
