"""Registries as the settings have them: how they are reached, and with which credentials."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kezuri.app.request import Settings
from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.registry.config import RegistryConfig

if TYPE_CHECKING:
    from kezuri.registry.credentials import MachineCredentials


def registry_config(settings: Settings) -> RegistryConfig:
    """How registries are reached: the settings, together with what this machine says of them."""
    insecure = settings.insecure if settings.tls_verify else ("*",)
    config = RegistryConfig.of_machine(settings.mirrors, insecure, ca_bundle(settings.ca_certificates), os.environ)
    return config._replace(certificates=settings.certificates, allow_private=settings.allow_private)


def credentials(
    settings: Settings,
    warn: Callable[[Diagnostic], None],
    environment: Mapping[str, str] = os.environ,
    new: bool = False,
) -> "MachineCredentials":
    """The credentials of the user, looked up when somebody asks. With `new` the authfile need not be there yet."""
    from kezuri.registry.credentials import MachineCredentials

    return MachineCredentials(environment, settings.authfile, warn, new)


def ca_bundle(path: str) -> str:
    """The absolute path of a file with authorities that are trusted in addition (empty: none). KezuriError for one that
    holds none."""
    if not path:
        return ""
    try:
        with open(path, "rb") as file:
            head = file.read(1 << 20)
    except OSError as error:
        raise KezuriError.of(
            f"the ca-certificates file {path} cannot be read: {error.strerror}",
            hint="--ca-certificates, KEZURI_CA_CERTIFICATES or the config file names it",
            exit_code=2,
        ) from error
    if b"-----BEGIN CERTIFICATE-----" not in head:
        raise KezuriError.of(
            f"the ca-certificates file {path} holds no PEM certificate",
            hint="it must contain at least one -----BEGIN CERTIFICATE----- block",
            exit_code=2,
        )
    return os.path.abspath(path)
