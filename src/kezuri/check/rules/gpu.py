"""Images for GPUs: what a build cannot ask, what belongs to the host, and which CUDA goes with which."""

import re
from collections.abc import Iterator

from kezuri.check.rule import Edit, Example, Finding, Fix, Rule
from kezuri.check.shipped_stage import Act, ShippedStage, shipped
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Env, Instruction
from kezuri.shell.script import Word

_TALLY = "https://github.com/wharflab/tally/blob/main/_docs/rules/tally/gpu"
_CUDA = "FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\n"
_QUERIES = re.compile(r"torch\.cuda\.(?:get_device_name|get_device_properties|current_device|get_device_capability)\(")


class CudaVersionMismatch(Rule):
    """Wheels for another CUDA than the image has."""

    name = "CudaVersionMismatch"
    summary = "Packages should be for the CUDA that the image has"
    why = (
        "`+cu118` and `whl/cu118` are made for CUDA 11.8. On an image with CUDA 12 they bring another copy of it, "
        "which is gigabytes, and whatever is compiled against both does not load, or falls back to the processor "
        "without a word. Within one major version an older wheel goes with a newer image. Wheels that bring all they "
        "need run anyway: that is why this is no warning."
    )
    japanese = (
        "パッケージはイメージの CUDA に合わせる",
        "`+cu118` や `whl/cu118` は CUDA 11.8 用です。CUDA 12 のイメージでは別の CUDA がもう一つ（数 GB）入り、"
        "両方に対してコンパイルされたものは読み込めないか、黙って CPU で動きます。メジャーバージョンが同じなら、古い "
        "wheel は新しいイメージで動きます。必要なものをすべて含む wheel はそれでも動くので、警告にはしません。",
    )
    severity = "info"
    bad = Example(f"{_CUDA}RUN pip install torch --index-url https://download.pytorch.org/whl/cu118\n")
    good = Example(bad.text.replace("cu118", "cu124"))
    url = f"{_TALLY}/cuda-version-mismatch.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        has = _cuda(stage)[:2] if stage is not None else ()
        if stage is None or len(has) < 2:
            return
        for act in stage.acts():
            for word in act.command.arguments:
                wants = _wanted(act, word)
                if wants is None or (wants[0] == has[0] and wants[1] <= has[1]):
                    continue
                asked, there = ".".join(map(str, wants)), ".".join(map(str, has))
                text = f"this is for CUDA {asked}, and the image has CUDA {there}"
                hint = "take the packages for the image's CUDA, or the image of theirs"
                yield Finding(self, text, act.run.node, act.span(word), hint=hint)
                break


class GpuAskedDuringBuild(Rule):
    """A question that a build cannot answer."""

    name = "GpuAskedDuringBuild"
    summary = "A build has no GPU to ask"
    why = (
        "No GPU is attached to a build: `nvidia-smi` ends with an error, and so do questions for the name or the "
        "properties of a device. Ask when the container starts, in its CMD, its entry script or its health check."
    )
    japanese = (
        "ビルド中に GPU へ問い合わせない",
        "ビルドには GPU が接続されていません。`nvidia-smi` も、デバイス名や属性の問い合わせもエラーになります。"
        "コンテナの起動時（CMD、エントリスクリプト、ヘルスチェック）に調べてください。",
    )
    bad = Example(f"{_CUDA}RUN nvidia-smi\n")
    good = Example(f'{_CUDA}CMD ["nvidia-smi"]\n')
    url = f"{_TALLY}/no-buildtime-gpu-queries.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        for act in stage.acts() if stage is not None else ():
            command = act.command
            if command.follows == "||" or command.within or any("gpu" in str(d) for d in act.run.devices):
                continue
            name = act.words[0].rpartition("/")[2] if act.words else ""
            asked = name in ("nvidia-smi", "nvidia-debugdump") and not {"--help", "-h", "--version"} & set(act.words)
            asks = next((w for w in command.arguments if _QUERIES.search(w.loose)), None)
            if asked or (asks is not None and name.startswith("python")):
                text = "a build has no GPU: this command fails"
                hint = "ask when the container starts"
                yield Finding(self, text, act.run.node, act.span(), hint=hint)


class GpuRuntimeInImage(Rule):
    """Parts of the host in an image."""

    name = "GpuRuntimeInImage"
    summary = "NVIDIA's container toolkit belongs to the host"
    why = (
        "`nvidia-container-toolkit`, `nvidia-docker2` and `libnvidia-container` let the host's runtime give GPUs to "
        "containers. In an image they do nothing, unless it runs containers itself, which is why this is no warning."
    )
    japanese = (
        "NVIDIA の container toolkit はホスト側のもの",
        "`nvidia-container-toolkit`、`nvidia-docker2`、`libnvidia-container` は、ホストのランタイムがコンテナに GPU "
        "を渡すためのものです。イメージの中では何もしません。自分でコンテナを動かすイメージでは必要なので、"
        "警告にはしません。",
    )
    severity = "info"
    bad = Example(f"{_CUDA}RUN apt-get update && apt-get install -y nvidia-container-toolkit\n")
    good = Example(f"{_CUDA}RUN apt-get update && apt-get install -y python3\n")
    url = f"{_TALLY}/no-container-runtime-in-image.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        for act in stage.acts() if stage is not None else ():
            for word in _packages(act):
                if re.match(r"nvidia-container-(?:toolkit|runtime)|nvidia-docker2|libnvidia-container", word.loose):
                    text = f"{word.loose.partition('=')[0]} does nothing in an image: it is the host's"
                    yield Finding(self, text, act.run.node, act.span(word), hint="install it on the host")
                    break


class GpuDevicesFixed(Rule):
    """Which GPUs there are, said by the image."""

    name = "GpuDevicesFixed"
    summary = "An image should not say which GPUs it gets"
    why = (
        "`CUDA_VISIBLE_DEVICES=0` in an image hides all GPUs but one on every machine, and a UUID all of them on every "
        "machine but one. Whoever starts the container says which it gets (`--gpus`, the scheduler). `all`, `none`, "
        "`void`, an empty value and a variable are not meant."
    )
    japanese = (
        "どの GPU を使うかをイメージで決めない",
        "イメージの `CUDA_VISIBLE_DEVICES=0` は、どのマシンでも一つを除くすべての GPU を隠します。UUID なら、"
        "一台を除くすべてのマシンで全部を隠します。どれを渡すかはコンテナを起動する側（`--gpus`、"
        "スケジューラ）が決めます。`all`・`none`・`void`・空・変数は対象外です。",
    )
    severity = "info"
    bad = Example(f"{_CUDA}ENV CUDA_VISIBLE_DEVICES=0\n")
    good = Example(f"{_CUDA}ENV NVIDIA_VISIBLE_DEVICES=all\n")
    url = f"{_TALLY}/no-hardcoded-visible-devices.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for env, name, value in _variables(subject):
            if name in ("NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES") and re.match(r"(?:\d|GPU-|MIG-)", value):
                text = f"{name}={value} hides every other GPU, on every machine"
                yield Finding(self, text, env.node, hint="leave it to whoever starts the container")


class GpuCapabilitiesAll(Rule):
    """Every library of the driver."""

    name = "GpuCapabilitiesAll"
    summary = "An image should name the driver's capabilities that it needs"
    why = (
        "`NVIDIA_DRIVER_CAPABILITIES=all` mounts the driver's graphics, video and display libraries too. "
        "`compute,utility` is what CUDA programs need."
    )
    japanese = (
        "必要なドライバー機能だけを指定する",
        "`NVIDIA_DRIVER_CAPABILITIES=all` は、ドライバーのグラフィックス・ビデオ・ディスプレイのライブラリまでマウント"
        "します。CUDA プログラムに必要なのは `compute,utility` です。",
    )
    severity = "style"
    fix_class = "V"
    bad = Example(f"{_CUDA}ENV NVIDIA_DRIVER_CAPABILITIES=all\n")
    good = Example(f"{_CUDA}ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility\n")
    url = f"{_TALLY}/prefer-minimal-driver-capabilities.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for env, name, value in _variables(subject):
            if name != "NVIDIA_DRIVER_CAPABILITIES" or value.lower() != "all":
                continue
            source = subject.dockerfile.source.text
            written = re.compile(r"NVIDIA_DRIVER_CAPABILITIES=(\"?)all\b", re.IGNORECASE)
            found = written.search(source, env.node.span.start, env.node.span.end)
            fix = None
            if found is not None:
                span = env.node.span._replace(start=found.end() - 3, end=found.end())
                changes = frozenset(("config.Env NVIDIA_DRIVER_CAPABILITIES",))
                fix = Fix("name those of CUDA programs", (Edit(span, "compute,utility"),), "V", changes)
            text = "every library of the driver is mounted, those for graphics and video too"
            yield Finding(self, text, env.node, fix=fix, hint="write compute,utility, or what it needs")


class CudaInstalledAgain(Rule):
    """Packages that the base has."""

    name = "CudaInstalledAgain"
    summary = "An image of nvidia/cuda has CUDA already"
    why = (
        "The variants of nvidia/cuda hold what their names say: `base` the runtime, `runtime` the libraries, `devel` "
        "the compiler, `cudnn` cuDNN. Installing them again stores them twice, perhaps in another version."
    )
    japanese = (
        "nvidia/cuda のイメージにはすでに CUDA がある",
        "nvidia/cuda の各バリアントには名前どおりのものが入っています。`base` はランタイム、`runtime` はライブラリ、"
        "`devel` はコンパイラ、`cudnn` は cuDNN です。もう一度入れると、場合によっては別の版で、"
        "二重に持つことになります。",
    )
    severity = "info"
    bad = Example("FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN apt-get update && apt-get install -y cuda-toolkit\n")
    good = Example(bad.text.replace("cuda-toolkit", "python3"))
    url = f"{_TALLY}/no-redundant-cuda-install.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        if stage is None or not _cuda(stage):
            return
        variants = set(stage.tag.split("-"))
        for act in stage.acts():
            for word in _packages(act):
                name = word.loose.partition("=")[0]
                devel = re.match(r"(?:nvidia-)?cuda-(?:toolkit|nvcc)(?:-\d|$)", name) and "devel" in variants
                libraries = re.match(r"cuda-(?:libraries|runtime)(?:-\d|$)", name) and variants & {"runtime", "devel"}
                cudnn = name.startswith("libcudnn") and any(v.startswith("cudnn") for v in variants)
                if devel or libraries or (cudnn and not name.endswith("-dev")):
                    text = f"{name} is in the image already"
                    yield Finding(self, text, act.run.node, act.span(word), hint="leave it out")


class CudaDevelShipped(Rule):
    """A compiler for GPUs in an image that compiles nothing."""

    name = "CudaDevelShipped"
    summary = "An image that is shipped should stand on the runtime variant of nvidia/cuda"
    why = (
        "The `devel` variant holds nvcc, headers and static libraries: gigabytes more than `runtime`. Build in one "
        "stage and copy the result. Nothing is said where the stage compiles something, or installs what may compile "
        "when it runs (Triton, torch.compile, DeepSpeed, vLLM): that is why this is no warning."
    )
    japanese = (
        "配布するイメージは nvidia/cuda の runtime バリアントにする",
        "`devel` には nvcc・ヘッダー・静的ライブラリがあり、`runtime` より数 GB 大きくなります。"
        "別のステージでビルドして結果をコピーしてください。そのステージで何かをコンパイルする場合や、"
        "実行時にコンパイルしうるもの（Triton、torch.compile、DeepSpeed、vLLM）を入れる場合は何も言いません。"
        "そのため警告にはしません。",
    )
    severity = "info"
    bad = Example('FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nCOPY app /app\nCMD ["/app"]\n')
    good = Example(bad.text.replace("devel", "runtime"))
    url = f"{_TALLY}/prefer-runtime-final-stage.mdx"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stage = shipped(subject)
        if stage is None or not _cuda(stage) or "devel" not in stage.tag.split("-"):
            return
        words = ("nvcc", "gcc", "g++", "make", "ninja", "build-essential", "clang", "cargo", "setup.py", "deepspeed")
        if not stage.mentions(*words, "triton", "vllm", "flash", "xformers", "compile", "git+", "-e .", "torch"):
            text = "the compiler of CUDA is shipped, and nothing here compiles"
            node = stage.stages[-1].start.node
            hint = "stand on the runtime variant of the same version"
            yield Finding(self, text, node, stage.stages[-1].start.image_span, hint=hint)


def _cuda(stage: ShippedStage) -> tuple[int, ...]:
    """The version of an image of nvidia/cuda; empty for another one."""
    reference = stage.reference
    if reference is None or reference.path not in ("nvidia/cuda", "nvidia/cuda-ppc64le", "nvidia/cuda-arm64"):
        return ()
    return stage.version


def _wanted(act: Act, word: Word) -> tuple[int, int] | None:
    """The CUDA that a word of an install asks for."""
    words = act.words
    said = word.loose
    if {"pip", "pip3", "uv"} & {part.rpartition("/")[2] for part in words[:3]} and "install" in words:
        found = re.search(r"(?:\+cu|/whl/(?:nightly/|test/)?cu)(\d{2})(\d)\b", said)
        return (int(found[1]), int(found[2])) if found is not None else None
    if words and words[0].rpartition("/")[2] in ("conda", "mamba", "micromamba") and "install" in words:
        found = re.match(r"(?:pytorch-cuda|cudatoolkit|cuda-version)=+(\d+)\.(\d+)", said)
        return (int(found[1]), int(found[2])) if found is not None else None
    return None


def _packages(act: Act) -> Iterator[Word]:
    """What a package manager of a distribution is to install."""
    words = act.words
    managers = ("apt-get", "apt", "yum", "dnf", "microdnf", "apk", "zypper")
    if words and words[0].rpartition("/")[2] in managers and {"install", "add"} & set(words):
        yield from (word for word in act.command.arguments if not word.loose.startswith("-"))


def _variables(subject: Subject) -> Iterator[tuple[Env, str, str]]:
    """The variables that ENV of the shipped stages sets, without quotes; those with `$` are left out."""
    stage = shipped(subject)
    for one in stage.stages if stage is not None else ():
        instructions: tuple[Instruction, ...] = one.instructions
        for env in instructions:
            for name, value in env.pairs if isinstance(env, Env) else ():
                if "$" not in value and isinstance(env, Env):
                    yield env, name, value.strip("\"'")


RULES = (
    CudaVersionMismatch(),
    GpuAskedDuringBuild(),
    GpuRuntimeInImage(),
    GpuDevicesFixed(),
    GpuCapabilitiesAll(),
    CudaInstalledAgain(),
    CudaDevelShipped(),
)
