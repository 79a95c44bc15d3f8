"""What is to be built: the context, the Dockerfile and the plan that a request leads to, before anything runs."""

import os
import threading
from contextlib import ExitStack
from time import time
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from kezuri.app.request import BuildRequest
from kezuri.app.session import Session
from kezuri.cache.question import Question
from kezuri.cache.results import Results
from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.parser import Dockerfile, parse
from kezuri.keys.inputs import Context, Inputs
from kezuri.keys.options import NoSecrets, Options, RunSettings
from kezuri.keys.stepkeys import StepKeys
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.contexts import ImageResolver, NamedContext, context_name
from kezuri.plan.facts import Survey
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.plan.operation import Plan
from kezuri.plan.planner import Planner, PlanRequest
from kezuri.progress.calling_off import CallOff
from kezuri.progress.events import Listener, Warned, WorkName
from kezuri.progress.reporter import Reporter
from kezuri.source import context as build_context
from kezuri.tree.stat_index import StatIndex
from kezuri.tree.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from kezuri.app.secrets import GivenSecrets
    from kezuri.cache.file_lists import FileLists
    from kezuri.check.linter import Report
    from kezuri.check.subject import Subject
    from kezuri.forecast.durations import Durations
    from kezuri.source.remote_context import RemoteContexts
    from kezuri.source.remotes import Remotes


class Workbench(NamedTuple):
    """What the steps of a plan are keyed and looked up with."""

    inputs: Inputs
    keys: StepKeys
    results: Results
    options: Options


class Examined(NamedTuple):
    """What the checks looked at, and what they said."""

    subject: "Subject"
    report: "Report"


class Definition:
    """Reads what one request asks for. Everything that it opens is let go of by `held`.

    `cancel` calls fetching off.
    """

    def __init__(
        self,
        request: BuildRequest,
        session: Session,
        reporter: Reporter,
        listener: Listener,
        held: ExitStack,
        cancel: CallOff | None = None,
    ) -> None:
        self._request = request
        self._session = session
        self._reporter = reporter
        self._listener = listener
        self._held = held
        self._split = False
        self._planner: Planner | None = None
        self.subject: Subject | None = None
        """What the checks looked at, once there is a plan."""
        self._resolved: dict[tuple[ImageSource, Platform], BaseImage] = {}
        self._cancel = cancel
        self._secrets = self._open_secrets()
        self._agents: dict[str, str] | None = None
        self._remotes: Remotes | None = None
        self._remotes_lock = threading.Lock()
        self.named = _named_contexts(request.build_contexts)
        self.context = build_context.open_context(
            request.context,
            request.file,
            stdin=_standard_input,
            scratch=held.enter_context(session.store.scratch("context")) if _may_be_archive(request.context) else "",
            elsewhere=self._elsewhere,
        )
        self.dockerfile = self._parse()

    def asked(self) -> Question:
        """What the build is asked for, as the journal writes it down."""
        context = self.context
        name = context.dockerfile.name
        file = os.path.join(context.directory, os.path.basename(name)) if context.directory else name
        place = context.address or context.root or "-"
        return (place, file, self._request.target, self._request.platforms, os.getcwd())

    @property
    def images(self) -> "tuple[BaseImage, ...]":
        """The images that were asked for while the plan was made."""
        return tuple(self._resolved.values())

    def durations(self) -> "Durations":
        """How long the instructions of the Dockerfile took in earlier builds."""
        from kezuri.cache.journal import Journal
        from kezuri.forecast.durations import Durations

        place, dockerfile, *_ = self.asked()
        return Durations(Journal(self._session.store.database), place, dockerfile)

    def _parse(self) -> Dockerfile:
        source = self.context.dockerfile
        name = WorkName(f"load build definition from {os.path.basename(source.name)}", internal=True)
        with self._reporter.step(name):
            dockerfile = parse(source.text, source.name)
            for diagnostic in dockerfile.diagnostics:
                if diagnostic.severity != "error" and diagnostic.code != "NoEmptyContinuation":
                    # That one is the checks' business.
                    self._listener(Warned(time(), diagnostic))
            self._warn_of_syntax(dockerfile)
            if self._request.build_args:
                self._warn_of_arguments(dockerfile)
            return dockerfile

    def _warn_of_arguments(self, dockerfile: Dockerfile) -> None:
        """An argument that no ARG declares is passed over, as in BuildKit; one that is nearly the name of another was
        mistyped."""
        from kezuri.diagnostics import Diagnostic, nearest
        from kezuri.dockerfile.instructions import Arg

        declared = {name for i in dockerfile.instructions if isinstance(i, Arg) for name, _ in i.pairs}
        given = dict(self._request.build_args)
        for name in given:
            if name in declared or len(name) < 4 or name.startswith("BUILDKIT_") or name.lower().endswith("_proxy"):
                continue
            near = nearest(name, declared - given.keys())
            if near is not None:
                text = f"no ARG declares the build argument {name}"
                self._listener(Warned(time(), Diagnostic("warning", text, hint=f"did you mean {near}?")))

    def _warn_of_syntax(self, dockerfile: Dockerfile) -> None:
        """The language is built in: a frontend of another name may mean another language."""
        given = self._request.builtin.syntax
        span = None
        if not given:
            for directive in dockerfile.directives:
                if directive.name == "syntax":
                    given, span = directive.value, directive.span
        if given and "docker/dockerfile" not in given:
            from kezuri.diagnostics import Diagnostic

            text = f"the frontend {given} is not used: the Dockerfile is read as docker/dockerfile"
            source = dockerfile.source if span is not None else None
            self._listener(Warned(time(), Diagnostic("warning", text, source, span)))

    def plan(self) -> Plan:
        """The plan, of all platforms that were asked for; KezuriError with every diagnostic that could be found in one
        go, and where a check is told to make errors. What the checks find is said in any case: it may be the reason."""
        try:
            plan = self._plan()
        except KezuriError:
            self._warn()
            raise
        verdict = self._warn()
        if verdict is not None:
            raise verdict
        return plan

    def _warn(self) -> KezuriError | None:
        """Say what the checks find in what was planned; the error that their findings are told to be."""
        planner, self._planner = self._planner, None
        if planner is None:
            return None
        self.subject, report = self._lint(planner, planner.survey())
        for finding in report.findings:
            self._listener(Warned(time(), finding.diagnostic(self.dockerfile.source)))
        return report.verdict()

    def examine(self, everything: bool) -> Examined:
        """What the checks say of the target's stages, or of every stage, past errors and without images that do not
        answer."""
        platforms = self._platforms()
        planner = self._new_planner(platforms[0] if platforms else None, self._answered)
        return self._lint(planner, planner.look(everything))

    def surveys(self) -> tuple[Survey, ...]:
        """Every stage of the file, for each of the platforms that were asked for, past errors and without images that
        do not answer."""
        platforms: tuple[Platform | None, ...] = self._platforms() or (None,)
        return tuple(self._new_planner(platform, self._answered).look(True) for platform in platforms)

    def _answered(self, source: ImageSource, platform: Platform) -> BaseImage:
        """As `resolve`, but where a registry has answered that it has no such image, that is the file's error."""
        try:
            return self.resolve(source, platform)
        except KezuriError as error:
            from kezuri.registry.failure import Refused

            said = error.__context__
            if isinstance(said, Refused) and said.failure.status in (401, 403, 404):
                raise KezuriError(*error.diagnostics) from error
            raise

    def _lint(self, planner: Planner, survey: Survey) -> Examined:
        from kezuri.check.linter import lint, read_options
        from kezuri.check.subject import Subject

        explicit = bool(self._request.platforms)
        subject = Subject(self.dockerfile, survey, planner.platform, self.context.ignore, explicit)
        options = read_options(self.dockerfile, self._request.builtin.checks)
        return Examined(subject, lint(subject, options))

    def _plan(self) -> Plan:
        platforms = self._platforms()
        if not self._split:
            return self._plan_for(platforms[0] if platforms else None)
        from kezuri.plan.platforms import merge

        plans: list[tuple[Platform, Plan]] = []
        errors: list[KezuriError] = []
        for platform in platforms or (None,):
            try:
                plans.append((platform or Platform.host(), self._plan_for(platform)))
            except KezuriError as error:
                errors.append(error)
        if errors:
            unique = dict.fromkeys(d for e in errors for d in e.diagnostics)
            raise KezuriError(*unique, exit_code=max(e.exit_code for e in errors))
        return merge(plans)

    def _plan_for(self, platform: Platform | None) -> Plan:
        planner = self._new_planner(platform)
        if self._planner is None:
            # One platform is enough to check: the others differ in nothing that is written.
            self._planner = planner
        return planner.plan()

    def _new_planner(self, platform: Platform | None, resolve: ImageResolver | None = None) -> Planner:
        request = PlanRequest(
            target=self._request.target,
            arguments=dict(self._request.build_args),
            contexts=self.named,
            platform=platform,
            build_platform=Platform.host(),
            network="" if self._request.network == "default" else self._request.network,
        )
        return Planner(self.dockerfile, request, resolve or self.resolve)

    def _platforms(self) -> tuple[Platform, ...]:
        """The platforms that were asked for, each once, in order; and whether they make an index together."""
        given = (p for text in self._request.platforms for p in text.split(",") if p)
        platforms = tuple(dict.fromkeys(Platform.parse(p) for p in given))
        self._split = len(platforms) > 1
        wanted = self._request.builtin.multi_platform
        if wanted is not None:
            if self._split and not wanted:
                raise KezuriError.of(
                    f"BUILDKIT_MULTI_PLATFORM=false allows one platform, and {len(platforms)} were asked for",
                    hint="leave the build argument out, or name one platform",
                    exit_code=2,
                )
            self._split = wanted
        return platforms

    def resolve(self, source: ImageSource, platform: Platform) -> BaseImage:
        """The image that a name stands for; KezuriError when it cannot be had."""
        known = self._resolved.get((source, platform))
        if known is None:
            known = self._resolved[(source, platform)] = self._resolve(source, platform)
        return known

    def _resolve(self, source: ImageSource, platform: Platform) -> BaseImage:
        title = source.text
        if source.kind == "registry":
            title = str(Reference.parse(source.text))
        name = WorkName(f"load metadata for {title}", True, str(platform) if self._split else "")
        try:
            with self._reporter.step(name):
                return self._session.images.resolve(source, platform)
        except KezuriError as error:
            from kezuri.registry.failure import Unanswered

            if isinstance(error, Unanswered):
                raise error.hinted(
                    f"`--build-context {source.text}=oci-layout://DIR` takes it from a layout"
                ) from error
            raise

    def remotes(self) -> "Remotes":
        """What remote sources are fetched with. Several threads may ask."""
        with self._remotes_lock:
            if self._remotes is None:
                from kezuri.app.remotes import open_remotes

                def agent() -> str:
                    from kezuri.plan.remote import is_secure_shell

                    if not self._request.agents and is_secure_shell(self._request.context):
                        # As buildx has it: who names such a context wants to be logged in there.
                        return os.environ.get("SSH_AUTH_SOCK", "")
                    return self._open_agents().get("default", "")

                self._remotes = open_remotes(
                    self._session, self._secrets, agent, self._reporter, self._held, self._cancel
                )
            return self._remotes

    def _file_lists(self) -> "FileLists":
        from kezuri.cache.file_lists import FileLists

        return FileLists(self._session.store.database)

    def _elsewhere(self) -> "RemoteContexts":
        from kezuri.source.remote_context import RemoteContexts

        builtin = self._request.builtin
        return RemoteContexts(self.remotes(), builtin.keep_git_dir, builtin.epoch is not None)

    def _open_secrets(self) -> "GivenSecrets | NoSecrets":
        if not self._request.secrets:
            return NoSecrets()
        from kezuri.app.secrets import GivenSecrets

        return GivenSecrets(self._request.secrets)

    def _open_agents(self) -> dict[str, str]:
        if self._agents is None:
            self._agents = {}
            if given := self._request.agents:
                from kezuri.app.agents import open_agents

                self._agents = open_agents(given, os.environ, self._held)
        return self._agents

    def workbench(self, plan: Plan, parallelism: int, selections: "Callable[[str], str] | None" = None) -> Workbench:
        """What the plan's steps are keyed and looked up with. `parallelism` is how many may run at once; `selections`
        are known to other machines: see Inputs."""
        forms, database = self._session.forms, self._session.store.database
        contexts, options = self.contexts(plan), self.options(plan, parallelism)
        digests = contexts[""].digests
        inputs = Inputs(contexts, forms, database, digests, self._file_lists, self.remotes, selections)
        keys = StepKeys(inputs, options)
        return Workbench(inputs, keys, Results(database, forms.usable), options)

    def contexts(self, plan: Plan) -> dict[str, Context]:
        """The contexts that the plan takes files from, by name; the build context has the empty one."""
        indexes = self._session.store.path("contexts")
        context = self.context
        contexts = {"": Context(context.tree, self._held.enter_context(StatIndex(indexes, context.root)))}
        for name in plan.contexts:
            tree, root = build_context.open_named_tree(name, self.named[name].text, self._elsewhere)
            contexts[name] = Context(tree, self._held.enter_context(StatIndex(indexes, root)))
        return contexts

    def tree(self, name: str) -> Tree:
        """The tree of a named context."""
        return build_context.open_named_tree(name, self.named[name].text, self._elsewhere)[0]

    def options(self, plan: Plan, parallelism: int) -> Options:
        """What all steps share, as the request has it; KezuriError for a secret that is not there."""
        secrets = self._secrets
        if not isinstance(secrets, NoSecrets):
            secrets.check()
        return Options(
            settings=RunSettings(
                self._request.hosts,
                self._request.ulimits,
                self._request.shm_size,
                self._request.builtin.hostname,
                self._request.no_new_privileges,
            ),
            secrets=secrets,
            agents=self._open_agents(),
            ca_bundle=self._session.ca_bundle,
            no_cache=self._request.no_cache,
            no_cache_stages=frozenset(s.lower() for s in self._request.no_cache_filter),
            # --network host says it for the whole build: buildx takes it for the entitlement, too.
            allow=frozenset(self._request.allow) | ({"network.host"} if self._request.network == "host" else set()),
            parallelism=parallelism,
        )


def _standard_input() -> BinaryIO:
    from kezuri.app.standard import standard_input

    return standard_input()


def _named_contexts(given: tuple[tuple[str, str], ...]) -> dict[str, NamedContext]:
    contexts: dict[str, NamedContext] = {}
    for name, value in given:
        if value.startswith("oci-layout://"):
            context = NamedContext("layout", value.removeprefix("oci-layout://"))
        elif value.startswith("docker-image://"):
            context = NamedContext("registry", value.removeprefix("docker-image://"))
        elif value.startswith("target:"):
            raise KezuriError.of(
                f"build context {name}: {value} names another target of a bake file, and `build` has one target only",
                hint="build that target to an image, and give docker-image://NAME",
                exit_code=2,
            )
        else:
            context = NamedContext("directory", value)
        contexts[context_name(name)] = context
    return contexts


def _may_be_archive(context: str) -> bool:
    return context == "-" or context.startswith(("http://", "https://"))
