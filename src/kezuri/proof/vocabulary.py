"""The words by which differences are called, and by which a fix declares what it changes (`Fix.changes`)."""

from collections.abc import Iterable, Mapping

PLAN: Mapping[str, str] = {
    "command": "what a RUN executes, its shell included",
    "script": "the here-document of a RUN that begins with #!",
    "env": "the environment that a RUN sees; `env NAME` for one variable",
    "arguments": "which ARGs a RUN sees by name",
    "working directory": "where a RUN is executed",
    "user": "as whom a RUN is executed, or a WORKDIR made",
    "mount": "what is mounted for a RUN, with its options; `mount /TARGET` for one",
    "files bound at": "what a bind mount shows",
    "files seeding": "what a new cache mount begins with",
    "network": "the network of a RUN",
    "security": "RUN --security",
    "platform": "what a RUN is made for",
    "files": "what a COPY or an ADD selects, and from where",
    "destination": "where a COPY or an ADD puts it",
    "owner": "COPY --chown",
    "mode": "COPY --chmod",
    "link": "COPY --link",
    "parents": "COPY --parents",
    "exclude": "COPY --exclude",
    "unpack": "ADD --unpack, and that an ADD unpacks archives",
    "heredoc": "the here-documents of a COPY or an ADD",
    "order": "the order of sources and here-documents of a COPY",
    "path": "the directory of a WORKDIR",
    "kind": "an ADD became a COPY, or the reverse",
    "operation.new": "an operation that was not there",
    "operation.gone": "an operation that is not there any more",
    "operation.moved": "an operation that is the same at another place of its stage",
    "stage.new": "a stage that was not there",
    "stage.gone": "a stage that is not there any more",
    "stage.name": "the name of a stage, more than its case",
    "stage.platform": "what a stage is for",
    "base": "the image or the stage that a stage stands on",
    "base.name": "the name by which the same image is asked for",
    "target": "which stage is built when none is named",
    "contexts": "which named contexts are used",
    "epoch": "SOURCE_DATE_EPOCH",
    "history": "the image's history: may always follow what is edited",
    "error.new": "something that is wrong only now: never allowed",
    "error.gone": "something that was wrong: may always go",
}
"""Of two plans. Most are the names of the components of keys, which `kezuri why` says, too."""

CONFIG: Mapping[str, str] = {
    "config": "the image's config: `config.Cmd`, `config.User`, `config.Env NAME`, `config.Labels NAME`, ...",
    "author": "the field of that name",
}
"""Of two configs."""

FILES: Mapping[str, str] = {
    "file": "anything about files; every word for files may have a path with wildcards behind it: `file usr/share/doc`",
    "file.new": "something that was not there",
    "file.gone": "something that is not there any more",
    "file.kind": "a file became a directory, a link, ...",
    "file.content": "the bytes of a file",
    "file.mode": "permissions",
    "file.owner": "user and group",
    "file.link": "where a link leads",
    "file.attributes": "extended attributes",
    "file.device": "the numbers of a device",
    "file.same": "which paths are one file under several names",
    "file.time": "when it was changed, where times are compared",
}
"""Of two root file systems."""

PROBE: Mapping[str, str] = {
    "probe": "anything about how the image runs",
    "probe.start": "whether it starts",
    "probe.alive": "whether it stays alive",
    "probe.exit": "the code with which it ends",
    "probe.answer": "what a port answers; `probe.answer 8080/tcp` for one",
    "probe.health": "what its HEALTHCHECK says",
}
"""Of two probes."""

VOCABULARY: Mapping[str, str] = {**PLAN, **CONFIG, **FILES, **PROBE}
"""Every word, and what it is about."""


def unknown(changes: Iterable[str]) -> tuple[str, ...]:
    """Those of the declared words that mean nothing."""
    return tuple(word for word in changes if not _known(word))


def _known(word: str) -> bool:
    if any(word == name or word.startswith(f"{name} ") for name in VOCABULARY):
        return True
    return word.startswith("config.")
