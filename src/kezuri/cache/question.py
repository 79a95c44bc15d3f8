"""What a build was asked for, the project that it is of, and whether it repeats that project's last one.

Builds that find everything need these and nothing else of the journal.
"""

import json

from kezuri.store.database import FRESH, Database

Question = tuple[str, str, str, tuple[str, ...], str]
"""The values of `journal.Asked` in their order."""


def project_of(asked: Question) -> str:
    """Builds of the same context, Dockerfile and target are of one project, and are compared with each other."""
    return json.dumps(asked[:3])


def repeats(database: Database, project: str, fingerprint: str, when: float) -> bool:
    """Note that all that the project's last build gave was found again at a moment (seconds since the epoch); False
    when that build was another one.

    What was noted just before is not noted again, unless another build came in between: a rebuild of what did not
    change then writes nothing.
    """
    row = database.row(
        "SELECT number, fingerprint, repeated FROM build WHERE project = ? ORDER BY number DESC LIMIT 1", project
    )
    if row is None or row[1] != fingerprint:
        return False
    noted = float(row[2])  # type: ignore[arg-type]
    if when - FRESH < noted <= when:
        later = "SELECT 1 FROM build WHERE number <> ? AND max(began, repeated) >= ? LIMIT 1"
        if database.row(later, row[0], noted) is None:
            return True
    return database.run("UPDATE build SET repeated = ? WHERE number = ?", when, row[0]) == 1
