"""What a build was asked for, and the project that it is of."""

import json

Question = tuple[str, str, str, tuple[str, ...], str]
"""What `journal.Asked` names: the values alone, since builds that find everything do not need the journal's words."""


def project_of(asked: Question) -> str:
    """Builds of the same context, Dockerfile and target are of one project, and are compared with each other."""
    return json.dumps(asked[:3])
