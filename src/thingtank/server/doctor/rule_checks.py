"""Rules of sinks and sources, and schedules of batch jobs, of the server that runs: which fail."""

from collections.abc import Iterator

from thingtank.server.doctor.findings import Finding, Patient, warning

_REMEDIES = {
    "failing": "it tries again by itself; see the page Sinks and the server's log",
    "stuck": "mend what it says; the page Sinks has a button to try at once",
    "full": "retry or discard its dead letters, on the page Sinks",
}
_BATCH_REMEDY = "mend what it says; the page Batch has all of it, and a button to run it now"


def check_rules(patient: Patient) -> Iterator[Finding]:
    """Nothing where all work, or no server runs."""
    for rule in patient.rules:
        if rule.of == "batch":
            text = f"the last run of schedule {rule.name} failed: {rule.what}"
            yield warning(rule.of, text, _BATCH_REMEDY)
            continue
        text = f"the rule {rule.name} of {rule.of} does not work: {rule.what}"
        yield warning(rule.of, text, _REMEDIES.get(rule.state, _REMEDIES["stuck"]))
