"""What the names of steps are as text: the form that BuildKit made common."""

import pytest

from kezuri.progress import Name, StepName, StepStarted, WorkName
from kezuri.progress.reporter import Reporter


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (StepName("RUN npm ci", 2, 3), "[2/3] RUN npm ci"),
        (StepName("RUN npm ci", 3, 5, "builder"), "[builder 3/5] RUN npm ci"),
        (StepName("COPY a  \\\n\tb", 1, 1, "stage-0"), "[stage-0 1/1] COPY a \\ b"),
        (StepName("RUN x", 1, 2, "a", "linux/arm64/v8"), "[linux/arm64/v8 a 1/2] RUN x"),
        (StepName("RUN x", 1, 2, "a", "linux/amd64", "linux/arm/v7"), "[linux/amd64->arm/v7 a 1/2] RUN x"),
        (StepName("RUN x", 1, 2, "a", "linux/amd64", "windows/amd64"), "[linux/amd64->windows/amd64 a 1/2] RUN x"),
        (WorkName("exporting layers"), "exporting layers"),
        (WorkName("load metadata for x", internal=True), "[internal] load metadata for x"),
        (WorkName("load metadata for x", True, "linux/arm64"), "[linux/arm64 internal] load metadata for x"),
    ],
)
def test_names_as_text(name: Name, text: str) -> None:
    assert str(name) == f"{name}" == text


def test_a_step_knows_its_place() -> None:
    assert StepName("RUN x", 3, 5, "builder").place == "builder 3/5"
    assert StepName("RUN x", 3, 5, "a", "linux/amd64", "linux/arm64").place == "linux/amd64->arm64 a 3/5"


def test_the_reporter_passes_the_value_on() -> None:
    heard: list[object] = []
    name = StepName("RUN x", 3, 5, "builder")
    with Reporter(heard.append).step(name):
        pass
    started = heard[0]
    assert isinstance(started, StepStarted)
    assert started.name is name
