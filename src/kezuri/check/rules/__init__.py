"""Every rule there is, in the order in which docs/checks.md lists them. A new rule is a class in a file here."""

from kezuri.check.rule import Rule
from kezuri.check.rules.casing import ConsistentInstructionCasing, FromAsCasing, StageNameCasing
from kezuri.check.rules.commands import JSONArgsRecommended, MultipleInstructionsDisallowed, WorkdirRelativePath
from kezuri.check.rules.files import CopyIgnoredFile
from kezuri.check.rules.forms import LegacyKeyValueFormat, MaintainerDeprecated, NoEmptyContinuation
from kezuri.check.rules.platforms import (
    FromPlatformFlagConstDisallowed,
    InvalidBaseImagePlatform,
    RedundantTargetPlatform,
)
from kezuri.check.rules.ports import ExposeInvalidFormat, ExposeProtoCasing
from kezuri.check.rules.stages import DuplicateStageName, InvalidDefinitionDescription, ReservedStageName
from kezuri.check.rules.variables import (
    InvalidDefaultArgInFrom,
    SecretsUsedInArgOrEnv,
    UndefinedArgInFrom,
    UndefinedVar,
)

RULES: tuple[Rule, ...] = (
    ConsistentInstructionCasing(),
    CopyIgnoredFile(),
    DuplicateStageName(),
    ExposeInvalidFormat(),
    ExposeProtoCasing(),
    FromAsCasing(),
    FromPlatformFlagConstDisallowed(),
    InvalidBaseImagePlatform(),
    InvalidDefaultArgInFrom(),
    InvalidDefinitionDescription(),
    JSONArgsRecommended(),
    LegacyKeyValueFormat(),
    MaintainerDeprecated(),
    MultipleInstructionsDisallowed(),
    NoEmptyContinuation(),
    RedundantTargetPlatform(),
    ReservedStageName(),
    SecretsUsedInArgOrEnv(),
    StageNameCasing(),
    UndefinedArgInFrom(),
    UndefinedVar(),
    WorkdirRelativePath(),
)
