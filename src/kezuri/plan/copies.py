"""COPY and ADD as operations."""

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.instructions import Copy
from kezuri.plan.inputs import ContextInput, Finder, Input, Remote
from kezuri.plan.operation import CopyOperation
from kezuri.plan.paths import destination as absolute
from kezuri.plan.variables import Variables


def plan_copy(copy: Copy, sources: tuple[str, ...], workdir: str, variables: Variables, find: Finder) -> CopyOperation:
    """The operation of a COPY or ADD whose source words are expanded already. KezuriError for what it must not say."""
    destination = variables.expand(copy.destination)
    heredocs = tuple((h.name, variables.heredoc(h).encode("utf-8", "surrogateescape")) for h in copy.heredocs)
    chown = variables.expand(copy.chown) if copy.chown is not None else ""
    if copy.link and chown:
        from kezuri.dockerfile.chown import needs_accounts

        if needs_accounts(chown):
            raise KezuriError.of(
                f"--chown={chown}: user and group names can't be resolved when used with --link",
                hint="use numbers (uid[:gid]) instead, or leave --link out",
            )
    chmod = variables.expand(copy.chmod) if copy.chmod is not None else ""
    if chmod:
        from kezuri.dockerfile.chmod import parse_chmod

        parse_chmod(chmod)
    remotes: tuple[Remote | None, ...] = ()
    if copy.checksum is not None or any("://" in s or "@" in s for s in sources):
        from kezuri.plan.remote import Words, remote_words

        checksum = variables.expand(copy.checksum) if copy.checksum is not None else None
        remotes = remote_words(Words(copy.node, sources, copy.source_spans), checksum, copy.keep_git_dir)
    found: Input = ContextInput()
    if copy.source_image is not None:
        found = find(variables.input_name(copy.source_image), copy.node.part(copy.from_span))
    said = [
        copy.node.keyword,
        *(["--parents"] if copy.parents else []),
        *([f"--chown={chown}"] if chown else []),
        *([f"--chmod={chmod}"] if chmod else []),
        *sources,
        *(f"<<{name}" for name, _ in heredocs),
        destination,
    ]
    return CopyOperation(
        title=copy.node.original.strip(),
        history=f"{' '.join(said)} # buildkit",
        node=copy.node,
        add=copy.node.keyword == "ADD",
        input=found,
        sources=sources,
        heredocs=heredocs,
        order=copy.order,
        destination=absolute(workdir, destination),
        chown=chown,
        chmod=chmod,
        # BuildKit drops --link where --chmod is given as well.
        link=copy.link and not chmod,
        parents=copy.parents,
        excludes=copy.excludes,
        unpack=copy.unpack,
        source_spans=copy.source_spans,
        remotes=remotes,
    )
