"""What is to be built: the context, the Dockerfile and the plan that a request leads to, before anything runs."""

import os
import sys
from contextlib import ExitStack
from time import time
from typing import NamedTuple

from kezuri.app.agents import open_agents
from kezuri.app.request import BuildRequest
from kezuri.app.secrets import GivenSecrets
from kezuri.app.session import Session
from kezuri.build.keys import RunSurroundings
from kezuri.build.reporting import Reporter
from kezuri.build.stepkeys import StepKeys
from kezuri.build.surroundings import Options
from kezuri.build.trees import Context, Trees
from kezuri.cache.results import Results
from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.parser import Dockerfile, parse
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.operation import BaseImage, ImageSource, Plan
from kezuri.plan.planner import NamedContext, Planner, PlanRequest, context_name
from kezuri.progress.events import Listener, Warned
from kezuri.source import context as build_context
from kezuri.source.stat_index import StatIndex


class Workbench(NamedTuple):
    """What the steps of a plan are keyed and looked up with."""

    trees: Trees
    keys: StepKeys
    results: Results
    options: Options


class Definition:
    """Reads what one request asks for. Everything that it opens is let go of by `held`.

    `epoch` is SOURCE_DATE_EPOCH in seconds, None when not given.
    """

    def __init__(
        self,
        request: BuildRequest,
        session: Session,
        reporter: Reporter,
        listener: Listener,
        held: ExitStack,
        epoch: int | None,
    ) -> None:
        self._request = request
        self._session = session
        self._reporter = reporter
        self._listener = listener
        self._held = held
        self._epoch = epoch
        self.named = _named_contexts(request.build_contexts)
        self.context = build_context.open_context(
            request.context,
            request.file,
            stdin=lambda: sys.stdin.buffer,
            scratch=held.enter_context(session.store.scratch("context")) if request.context == "-" else "",
        )
        self.dockerfile = self._parse()

    def _parse(self) -> Dockerfile:
        source = self.context.dockerfile
        with self._reporter.step(f"[internal] load build definition from {os.path.basename(source.name)}"):
            dockerfile = parse(source.text, source.name)
            for diagnostic in dockerfile.diagnostics:
                if diagnostic.severity != "error":
                    self._listener(Warned(time(), diagnostic))
            self._warn_of_syntax(dockerfile)
            return dockerfile

    def _warn_of_syntax(self, dockerfile: Dockerfile) -> None:
        """The language is built in: a frontend of another name may mean another language."""
        given = dict(self._request.build_args).get("BUILDKIT_SYNTAX", "")
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
        """The plan; KezuriError with every diagnostic that could be found in one go."""
        platform = self._platform()
        arguments = dict(self._request.build_args)
        if self._epoch is not None:
            arguments.setdefault("SOURCE_DATE_EPOCH", str(self._epoch))
        request = PlanRequest(
            target=self._request.target,
            arguments=arguments,
            contexts=self.named,
            platform=platform,
            build_platform=Platform.host(),
            network="" if self._request.network == "default" else self._request.network,
        )
        return Planner(self.dockerfile, request, self.resolve).plan()

    def _platform(self) -> Platform | None:
        given = [p for text in self._request.platforms for p in text.split(",") if p]
        if len(given) > 1:
            raise KezuriError.of(
                "building for several platforms at once is not supported yet", hint="build one platform after the other"
            )
        return Platform.parse(given[0]) if given else None

    def resolve(self, source: ImageSource, platform: Platform) -> BaseImage:
        """The image that a name stands for; KezuriError when it cannot be had."""
        title = source.text
        if source.kind == "registry":
            title = str(Reference.parse(source.text))
        with self._reporter.step(f"[internal] load metadata for {title}"):
            image = self._session.images.resolve(source, platform)
            have = image.config.platform
            if have.architecture and have not in platform.accepted():
                # BuildKit warns (InvalidBaseImagePlatform) and goes on: the step that cannot run will say so.
                from kezuri.diagnostics import Diagnostic

                text = f"base image {title} was pulled with platform {have}, expected {platform} for current build"
                self._listener(Warned(time(), Diagnostic("warning", text, code="InvalidBaseImagePlatform")))
            return image

    def workbench(self, plan: Plan, parallelism: int) -> Workbench:
        """What the plan's steps are keyed and looked up with. `parallelism` is how many may run at once."""
        session, store = self._session, self._session.store
        indexes = store.path("contexts")
        context = self.context
        contexts = {"": Context(context.tree, self._held.enter_context(StatIndex(indexes, context.root)))}
        for name in plan.contexts:
            tree = build_context.open_named(name, self.named[name].text)
            contexts[name] = Context(tree, self._held.enter_context(StatIndex(indexes, tree.root)))
        secrets = GivenSecrets(self._request.secrets)
        secrets.check()
        options = Options(
            surroundings=RunSurroundings(
                plan.stage(plan.target).platform,
                self._request.hosts,
                self._request.ulimits,
                self._request.shm_size,
                dict(self._request.build_args).get("BUILDKIT_SANDBOX_HOSTNAME", "buildkitsandbox"),
                self._request.new_privileges,
            ),
            secrets=secrets,
            agents=open_agents(self._request.agents, os.environ, self._held) if self._request.agents else {},
            ca_bundle=session.ca_bundle,
            no_cache=self._request.no_cache,
            no_cache_stages=frozenset(s.lower() for s in self._request.no_cache_filter),
            allow=frozenset(self._request.allow),
            parallelism=parallelism,
        )
        trees = Trees(contexts, session.forms, store.database, contexts[""].digests)
        keys = StepKeys(trees, options, self.dockerfile.source)
        return Workbench(trees, keys, Results(store.database, session.forms.usable), options)


def _named_contexts(given: tuple[tuple[str, str], ...]) -> dict[str, NamedContext]:
    contexts: dict[str, NamedContext] = {}
    for name, value in given:
        if value.startswith("oci-layout://"):
            context = NamedContext("layout", value.removeprefix("oci-layout://"))
        elif value.startswith("docker-image://"):
            context = NamedContext("registry", value.removeprefix("docker-image://"))
        elif "://" in value or value.startswith("git@"):
            raise KezuriError.of(
                f"build context {name}: {value.partition(':')[0]} sources are not supported yet",
                hint="give a directory, oci-layout://DIR or docker-image://NAME",
                exit_code=2,
            )
        else:
            context = NamedContext("directory", value)
        contexts[context_name(name)] = context
    return contexts
