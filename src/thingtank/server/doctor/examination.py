"""All of the doctor's checks, one after the other."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from thingtank.server.config import FILE_NAME, BadSettings, Config, Loaded, load_config
from thingtank.server.doctor.access_checks import check_openness, check_permissions, check_secrets
from thingtank.server.doctor.bucket_checks import check_bucket
from thingtank.server.doctor.certificate_checks import check_certificate
from thingtank.server.doctor.data_checks import check_backup, check_data
from thingtank.server.doctor.database_checks import check_database_server
from thingtank.server.doctor.disk_checks import check_disk
from thingtank.server.doctor.findings import Check, Finding, Level, Patient, problem
from thingtank.server.doctor.machine_checks import check_clock, check_limits, check_versions
from thingtank.server.doctor.port_checks import check_ports
from thingtank.server.doctor.rule_checks import check_rules
from thingtank.server.doctor.settings_checks import check_settings
from thingtank.server.rule_troubles import RuleTrouble

CHECKS: tuple[Check, ...] = (
    check_versions,
    check_limits,
    check_clock,
    check_disk,
    check_permissions,
    check_secrets,
    check_settings,
    check_openness,
    check_certificate,
    check_ports,
    check_data,
    check_database_server,
    check_bucket,
    check_rules,
    check_backup,
)


def examine(
    folder: Path,
    file: Path | None = None,
    sets: Sequence[str] = (),
    environment: Mapping[str, str] = os.environ,
    addresses: tuple[str, ...] | None = None,
    checks: Mapping[str, bool] | None = None,
    damage: Sequence[str] = (),
    rules: Sequence[RuleTrouble] = (),
) -> Iterator[Finding]:
    """Look at an instance and its machine.

    Args:
        file: of settings; None for that of the folder.
        sets: settings as with `--set`.
        addresses: of the doors of the server that runs; None while none does.
        checks: what that server says of itself.
        damage: what it finds wrong with its archive's files.
        rules: its rules of sinks and sources that do not work.
    """
    file = file or folder / FILE_NAME
    try:
        loaded = load_config(file, environment, sets, folder=folder)
    except BadSettings as error:
        yield problem(
            "settings.values", str(error), "mend it: docs/reference/settings.md has all of them"
        )
        loaded = Loaded(Config(), {})  # the rest is looked at as if there were none
    patient = Patient(
        folder,
        file,
        loaded.config,
        loaded.sources,
        environment,
        addresses,
        checks or {},
        damage,
        rules,
    )
    for check in CHECKS:
        try:
            yield from check(patient)
        except OSError as error:
            # The machine is the patient here: a check that it makes impossible is a finding.
            name = check.__name__.removeprefix("check_")
            yield problem(name, f"it could not be looked at: {error}", "see the machine's own log")


def is_well(findings: Iterable[Finding]) -> bool:
    """Whether there is no problem; warnings are none."""
    return all(finding.level is not Level.PROBLEM for finding in findings)
