"""What each instruction does to config, operations and history."""

import pytest
from tests.plan.plan_dockerfiles import AMD64, ARM64, Shelf, copies, errors, history, last, plan, runs

from kezuri.oci.config import HistoryEntry, ImageConfig
from kezuri.plan.inputs import StageInput
from kezuri.plan.operation import WorkdirOperation


def config(text: str, base: ImageConfig | None = None) -> ImageConfig:
    shelf = Shelf({"base": base} if base is not None else None)
    return last("FROM base\n" + text, shelf=shelf).config


class TestCommands:
    def test_shell_forms_carry_the_shell(self) -> None:
        assert config("CMD echo $HOME").cmd == ("/bin/sh", "-c", "echo $HOME")
        assert config('SHELL ["/bin/bash", "-ec"]\nCMD a b').cmd == ("/bin/bash", "-ec", "a b")
        assert config("ENTRYPOINT x").entrypoint == ("/bin/sh", "-c", "x")

    def test_exec_forms_are_kept_verbatim(self) -> None:
        assert config('CMD ["a", "$B"]').cmd == ("a", "$B")
        assert config('CMD ["a"]').args_escaped

    def test_the_last_one_wins_and_an_empty_one_clears(self) -> None:
        assert config('CMD a\nCMD ["b"]').cmd == ("b",)
        assert config("CMD a\nCMD []").cmd is None
        assert config("ENTRYPOINT a\nENTRYPOINT []").entrypoint is None

    def test_entrypoint_clears_an_inherited_cmd_but_not_one_of_the_stage(self) -> None:
        base = ImageConfig(AMD64, cmd=("old",))
        assert config('ENTRYPOINT ["e"]', base).cmd is None
        assert config('CMD ["new"]\nENTRYPOINT ["e"]', base).cmd == ("new",)
        text = 'FROM base AS a\nCMD ["x"]\nFROM a\nENTRYPOINT ["e"]'
        assert last(text).config.cmd is None

    def test_shell_is_inherited_by_stages_and_kept_in_the_config(self) -> None:
        stage = last('FROM base AS a\nSHELL ["/bin/bash", "-c"]\nFROM a\nRUN x')
        assert runs(stage)[0].argv == ("/bin/bash", "-c", "x") and stage.config.shell == ("/bin/bash", "-c")

    def test_bodies_are_not_expanded(self) -> None:
        stage = last("FROM base\nENV A=1\nRUN echo $A\nCMD echo $A")
        assert runs(stage)[0].argv[-1] == "echo $A" and stage.config.cmd is not None
        assert stage.config.cmd[-1] == "echo $A"


class TestHeredocs:
    def test_a_lone_one_is_the_script(self) -> None:
        (run,) = runs(last("FROM base\nRUN <<EOF\na\nb $X\nEOF"))
        assert run.argv == ("/bin/sh", "-c", "a\nb $X\n") and run.script == b""

    def test_tabs_are_stripped_where_asked(self) -> None:
        (run,) = runs(last("FROM base\nRUN <<-EOF\n\ta\n\tEOF"))
        assert run.argv[-1] == "a\n"

    def test_with_an_interpreter_it_is_a_file(self) -> None:
        (run,) = runs(last("FROM base\nRUN <<EOF\n#!/usr/bin/env python3\nprint(1)\nEOF"))
        assert run.argv[-1] == "/dev/pipes/EOF" and run.script_name == "EOF"
        assert run.script == b"#!/usr/bin/env python3\nprint(1)\n"

    @pytest.mark.parametrize("line", ["cat <<EOF > /f", "<<EOF python3", "true && <<EOF cat"])
    def test_with_anything_else_on_the_line_the_shell_does_it(self, line: str) -> None:
        (run,) = runs(last(f"FROM base\nRUN {line}\nbody\nEOF"))
        assert run.argv[-1] == f"{line}\nbody\nEOF"

    def test_several_go_to_the_shell_in_order(self) -> None:
        (run,) = runs(last("FROM base\nRUN cat <<A <<B\n1\nA\n2\nB"))
        assert run.argv[-1] == "cat <<A <<B\n1\nA\n2\nB"

    def test_copy_expands_them_unless_quoted(self) -> None:
        text = "FROM base\nENV A=1\nCOPY <<f <<'g' /d/\n$A \\$A \"q\"\nf\n$A\ng"
        (copy,) = copies(last(text))
        assert copy.heredocs == (("f", b'1 $A "q"\n'), ("g", b"$A\n"))


class TestWorkdir:
    def test_relative_ones_join_what_was_before(self) -> None:
        base = ImageConfig(AMD64, working_dir="/base")
        assert config("WORKDIR a\nWORKDIR b/../c/", base).working_dir == "/base/a/c"
        assert config("WORKDIR a").working_dir == "/a"
        assert config("WORKDIR /x/../y/\nWORKDIR z/").working_dir == "/y/z"
        assert config("WORKDIR /y\nWORKDIR $NOTHING").working_dir == "/y"

    def test_an_absolute_one_stands_in_the_config_as_it_is_written(self) -> None:
        stage = last("FROM base\nWORKDIR /x/../y/\nRUN a\nCOPY a b")
        assert stage.config.working_dir == "/x/../y/" and stage.history[0].created_by == "WORKDIR /x/../y/"
        made = stage.operations[0]
        assert isinstance(made, WorkdirOperation) and made.path == "/y"
        assert runs(stage)[0].cwd == "/y" and copies(stage)[0].destination == "/y/b"

    def test_the_root_is_no_operation(self) -> None:
        stage = last("FROM base\nWORKDIR /a\nWORKDIR /")
        assert len(stage.operations) == 1 and stage.history[-1].operation == -1

    def test_it_is_made_as_the_user_of_the_moment(self) -> None:
        stage = last("FROM base\nUSER app\nWORKDIR /a\nUSER other")
        (operation,) = stage.operations
        assert isinstance(operation, WorkdirOperation) and operation.user == "app"

    def test_steps_and_destinations_start_from_it(self) -> None:
        stage = last("FROM base\nWORKDIR /w\nRUN x\nCOPY a b\nCOPY a b/\nCOPY a .\nCOPY a /abs")
        assert runs(stage)[0].cwd == "/w"
        assert [c.destination for c in copies(stage)] == ["/w/b", "/w/b/", "/w/", "/abs"]


class TestConfig:
    def test_labels_later_ones_win(self) -> None:
        assert dict(config('LABEL a=1 b="x y"\nLABEL a=2').labels) == {"a": "2", "b": "x y"}

    def test_ports(self) -> None:
        assert config("EXPOSE 80 8000-8002/UDP 127.0.0.1:5:6").exposed_ports == (
            "6/tcp",
            "80/tcp",
            "8000/udp",
            "8001/udp",
            "8002/udp",
        )
        assert config('ARG P="1 2"\nEXPOSE $P').exposed_ports == ("1/tcp", "2/tcp")

    @pytest.mark.parametrize(
        ("word", "said"),
        [
            ("90-80", "invalid containerPort"),
            ("80/icmp", "invalid proto: icmp"),
            ("/tcp", "no port specified"),
            ("1.2.3:4:5", "invalid IP address"),
            ("1-2:3-5", "invalid ranges"),
            ("65536", "invalid containerPort"),
            ("http", "invalid containerPort"),
            ("-80", "invalid containerPort"),
            ("80-", "invalid containerPort"),
            ("x:80", "invalid hostPort"),
        ],
    )
    def test_ports_that_are_none(self, word: str, said: str) -> None:
        ((line, message, _),) = errors(f"FROM base\nEXPOSE {word}")
        assert line == 2 and said in message

    def test_volumes_user_stopsignal_author(self) -> None:
        made = config('ARG D=/d\nVOLUME ["$D", "/b c"]\nUSER u:g\nSTOPSIGNAL SIGUSR1\nMAINTAINER me <$D>')
        assert made.volumes == ("/b c", "/d") and made.user == "u:g"
        assert made.stop_signal == "SIGUSR1" and made.author == "me <$D>"

    @pytest.mark.parametrize("signal", ["9", "TERM", "sigterm", "SIGRTMIN+3", "RTMAX-1", "65", "-1"])
    def test_signals(self, signal: str) -> None:
        assert config(f"STOPSIGNAL {signal}").stop_signal == signal

    @pytest.mark.parametrize(("signal", "hint"), [("SIGTREM", "SIGTERM"), ("0", ""), ("9x", "")])
    def test_signals_that_are_none(self, signal: str, hint: str) -> None:
        ((_, message, said),) = errors(f"FROM base\nSTOPSIGNAL {signal}")
        assert message == f"invalid signal: {signal}" and hint in said

    def test_healthcheck(self) -> None:
        made = config('HEALTHCHECK --interval=5m --timeout=1.5s --retries=3 CMD ["a", "b"]')
        assert made.healthcheck == {
            "Test": ["CMD", "a", "b"],
            "Interval": 300_000_000_000,
            "Timeout": 1_500_000_000,
            "Retries": 3,
        }
        assert config("HEALTHCHECK CMD a $B").healthcheck == {"Test": ["CMD-SHELL", "a $B"]}
        assert config("HEALTHCHECK CMD a\nHEALTHCHECK NONE").healthcheck == {"Test": ["NONE"]}

    def test_what_the_base_says_is_inherited(self) -> None:
        base = ImageConfig(
            AMD64,
            created="2020-01-01T00:00:00Z",
            history=(HistoryEntry("2020-01-01T00:00:00Z", "base"),),
            user="u",
            env=("A=1", "PATH=/p"),
            labels={"l": "1"},
            volumes=("/v",),
            exposed_ports=("1/tcp",),
            working_dir="/w",
            stop_signal="9",
            healthcheck={"Test": ["NONE"]},
            shell=("/sh",),
        )
        made = config("ENV B=2", base)
        assert made._replace(env=(), created="", history=()) == base._replace(
            env=(), created="", history=(), diff_ids=made.diff_ids
        )
        assert made.env == ("A=1", "PATH=/p", "B=2") and made.created == ""

    def test_scratch(self) -> None:
        stage = last("FROM scratch", platform=ARM64)
        assert stage.base is None and stage.config.working_dir == "/" and stage.config.platform == ARM64

    def test_the_platform_is_the_bases_unless_one_was_asked_for(self) -> None:
        shelf = Shelf({"base": ImageConfig(ARM64)})
        assert last("FROM base", shelf=shelf).config.platform == ARM64
        assert last("FROM base", shelf=shelf, platform=AMD64).config.platform == AMD64
        assert last("FROM --platform=linux/amd64 base", shelf=shelf).config.platform == ARM64


def test_blank_names_are_errors() -> None:
    text = "FROM base\nENV $A=1\nLABEL $A=1\nVOLUME $A"
    said = [(line, message) for line, message, _ in errors(text)]
    assert [line for line, _ in said] == [2, 3, 4]
    assert all("blank" in m or "empty" in m for _, m in said)


class TestHistory:
    def test_the_texts(self) -> None:
        text = "\n".join(
            (
                "FROM base",
                "ENV a=1 b=2",
                "LABEL k=v",
                'SHELL ["a", "b"]',
                'CMD ["a", "b c"]',
                'ENTRYPOINT ["e"]',
                "EXPOSE 80 443/udp",
                "VOLUME /a /b",
                "USER u",
                "WORKDIR /w",
                "STOPSIGNAL 9",
                "HEALTHCHECK CMD x",
                "COPY --chown=u:g --chmod=644 a b d/",
                "ADD a /d/",
                "RUN x y",
                'RUN ["x", "y"]',
                "ONBUILD RUN z",
                "MAINTAINER me",
            )
        )
        assert history(text) == [
            "ENV a=1 b=2",
            "LABEL k=v",
            "SHELL [a b]",
            'CMD ["a" "b c"]',
            'ENTRYPOINT ["e"]',
            "EXPOSE [443/udp 80/tcp]",
            "VOLUME [/a /b]",
            "USER u",
            "WORKDIR /w",
            "STOPSIGNAL 9",
            "HEALTHCHECK {Test:[CMD-SHELL x] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}",
            "COPY --chown=u:g --chmod=644 a b d/ # buildkit",
            "ADD a /d/ # buildkit",
            "RUN a b x y # buildkit",
            "RUN x y # buildkit",
            "MAINTAINER me",
        ]

    def test_declared_arguments_stand_before_the_command(self) -> None:
        lines = history("FROM base\nARG A=1\nARG B\nRUN x", args={"A": "2"})
        assert lines == ["ARG A=2", "ARG B", "RUN |2 A=2 B= /bin/sh -c x # buildkit"]

    def test_entries_name_their_operation(self) -> None:
        stage = last("FROM base\nRUN a\nENV x=1\nCOPY a b\nCMD c")
        assert [item.operation for item in stage.history] == [0, -1, 1, -1]

    def test_a_stage_on_a_stage_has_the_history_of_both(self) -> None:
        text = "FROM base AS a\nRUN one\nFROM a\nRUN two"
        made = plan(text)
        items = made.stage(made.target).history
        assert [(i.stage, i.operation) for i in items] == [(0, 0), (1, 0)]


class TestOnbuild:
    BASE = ImageConfig(AMD64, on_build=("RUN one", "COPY a /b", "ENV X=1"))

    def test_triggers_run_right_after_from_and_are_not_inherited(self) -> None:
        stage = last("FROM base\nRUN two $X", shelf=Shelf({"base": self.BASE}))
        assert [r.argv[-1] for r in runs(stage)] == ["one", "two $X"]
        assert stage.config.on_build == () and "X=1" in stage.config.env

    def test_they_are_stored_and_leave_no_history(self) -> None:
        stage = last("FROM base\nONBUILD RUN one\nONBUILD COPY a b")
        assert stage.config.on_build == ("RUN one", "COPY a b") and stage.history == ()

    def test_a_stage_of_the_same_file_triggers_them_once(self) -> None:
        text = "FROM base AS a\nONBUILD RUN one\nFROM a AS b\nRUN two\nFROM b\nRUN three"
        made = plan(text)
        assert [r.argv[-1] for r in runs(made.stage(1))] == ["one", "two"]
        assert [r.argv[-1] for r in runs(made.stage(2))] == ["three"]

    def test_what_is_wrong_in_one_is_shown_at_the_from_that_fires_it(self) -> None:
        shelf = Shelf({"base": ImageConfig(AMD64, on_build=("EXPOSE x", "NONSENSE"))})
        found = errors("# one\nFROM base\nRUN x", shelf=shelf)
        assert [line for line, _, _ in found] == [2, 2]

    def test_a_trigger_takes_from_a_stage_of_the_child(self) -> None:
        shelf = Shelf({"parent": ImageConfig(AMD64, on_build=("COPY --from=files /a /b",))})
        made = plan("FROM scratch AS files\nCOPY a /a\nFROM parent", shelf=shelf)
        assert [s.label for s in made.stages] == ["files", "stage-1"]


class TestCopy:
    def test_words_are_expanded_also_in_json(self) -> None:
        (copy,) = copies(last('FROM base\nENV A="x y"\nCOPY ["$A", "b c", "/d/$A/"]'))
        assert copy.sources == ("x y", "b c") and copy.destination == "/d/x y/"

    def test_flags(self) -> None:
        text = "FROM base\nARG U=1\nCOPY --chown=$U:$U --chmod=u=rwX,go=rX --exclude=*.md --exclude=$U a /b"
        (copy,) = copies(last(text))
        assert (copy.chown, copy.chmod, copy.excludes) == ("1:1", "u=rwX,go=rX", ("*.md", "$U"))

    def test_link_is_dropped_where_the_mode_is_given(self) -> None:
        both, only = copies(last("FROM base\nCOPY --link --chmod=644 a /b\nCOPY --link a /b"))
        assert (both.link, only.link) == (False, True)

    def test_destinations_keep_their_slash(self) -> None:
        text = "FROM base\nCOPY a b /d/.\nCOPY a /d/../e\nCOPY a ./\nCOPY a /"
        assert [c.destination for c in copies(last(text))] == ["/d/", "/e", "/", "/"]

    @pytest.mark.parametrize("mode", ["8", "64a", "17777", "u+y", "foo"])
    def test_a_mode_that_is_none_is_found_before_anything_runs(self, mode: str) -> None:
        ((line, message, _),) = errors(f"FROM base\nRUN true\nCOPY --chmod={mode} a /b")
        assert line == 3 and "chmod" in message

    def test_heredocs_come_beside_files_of_another_stage(self) -> None:
        stage = last("FROM base AS a\nFROM base\nCOPY --from=a <<f x /d/\nhi\nf")
        (copy,) = copies(stage)
        assert (copy.input, copy.sources, copy.heredocs) == (StageInput(0), ("x",), (("f", b"hi\n"),))
        assert copy.history == "COPY x <<f /d/ # buildkit"

    def test_checksum_is_for_remote_sources(self) -> None:
        ((_, message, _),) = errors("FROM base\nADD --checksum=sha256:0000 a /x")
        assert "checksum" in message


class TestRunFlags:
    def test_network_and_security(self) -> None:
        one, two = runs(last("FROM base\nRUN --network=none x\nRUN --security=insecure x"))
        assert (one.network, one.insecure) == ("none", False) and two.insecure

    @pytest.mark.parametrize(
        ("flag", "said"),
        [("--network=bridge", "network"), ("--security=loose", "security"), ("--device=gpu,required", "device")],
    )
    def test_what_there_is_not(self, flag: str, said: str) -> None:
        ((line, message, _),) = errors(f"FROM base\nRUN {flag} x")
        assert line == 2 and said in message


def test_a_device_that_is_not_required_is_left_out_and_a_required_one_is_refused() -> None:
    assert len(runs(last("FROM base\nRUN --device=vendor/gpu=0 x\nRUN --device=name=gpu,required=false x"))) == 2
    for written in ("vendor/gpu=0,required", "required=true,name=gpu"):
        ((line, message, hint),) = errors(f"FROM base\nRUN --device={written} x")
        assert line == 2 and "required device" in message and "gpu" in message and hint


def test_what_is_wrong_deep_in_a_trigger_is_shown_at_the_from_as_well() -> None:
    triggers = ("COPY --from=9 a b", "RUN --mount=type=nothing,target=/a x", "EXPOSE x")
    shelf = Shelf({"base": ImageConfig(AMD64, on_build=triggers)})
    found = errors("\n" * 200 + "FROM base", shelf=shelf)
    assert [line for line, _, _ in found] == [201, 201, 201]
