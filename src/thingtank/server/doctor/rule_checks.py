"""Rules of sinks and sources of the server that runs: those that do not work."""

from collections.abc import Iterator

from thingtank.server.doctor.findings import Finding, Patient, warning

_REMEDIES = {
    "failing": "it tries again by itself; see the page Sinks and the server's log",
    "stuck": "mend what it says; the page Sinks has a button to try at once",
    "full": "send its dead letters again or delete them, on the page Sinks",
}


def check_rules(patient: Patient) -> Iterator[Finding]:
    """Nothing where all work, or no server runs."""
    for rule in patient.rules:
        text = f"the rule {rule.name} of {rule.of} does not work: {rule.what}"
        yield warning(rule.of, text, _REMEDIES.get(rule.state, _REMEDIES["stuck"]))
