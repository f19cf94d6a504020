"""What `/metrics` tells, as a table: the names are promised, and documented from here.

No label has a value that people choose: no device, no account, no topic. But for the names of
schedules of batch jobs, which admins make, and a hundred at most.
"""

from typing import Literal

import msgspec

Kind = Literal["counter", "gauge", "histogram", "info"]


class Family(msgspec.Struct, frozen=True):
    """One metric.

    Attributes:
        name: as exported, but for what the format puts behind it (`_total`, `_bucket`).
        meaning: also sent as its HELP.
        labels: with what they may be, for people.
        only: where it is told, for people; blank for always.
    """

    name: str
    kind: Kind
    meaning: str
    labels: dict[str, str] = {}
    only: str = ""


_OUTCOMES = "ok, refused, failed"

_WITH_RULES = "where there are rules of sinks"
_WITH_BUCKET = "where the cold tier is in a bucket"
_ENGINE = {"engine": "what rules send to: sql, …"}
_SINKS = (
    Family("thingtank_sink_rules", "gauge", "Rules that send values on.", {
        **_ENGINE, "state": "working, waiting, failing, stuck, full, paused"}),
    Family("thingtank_sink_items", "counter", "What became of items of sinks.", {
        **_ENGINE, "outcome": "delivered, retried, dead"}),
    Family("thingtank_sink_failures", "counter", "Calls of sinks that failed, whole or in part.", {
        **_ENGINE, "kind": "unreachable, throttled, credentials, not_allowed, missing, …"}),
    Family("thingtank_sink_behind_batches", "gauge",
        "Batches of the journal, or messages, that the rule of each kind that is most behind has to"
        " settle.",
        _ENGINE),
    Family("thingtank_sink_behind_seconds", "gauge",
        "For how long the oldest of them has been waiting.", _ENGINE),
    Family("thingtank_sink_batches_missed", "counter",
        "Batches that the journal could not keep for a rule, or messages left out.", _ENGINE),
    Family("thingtank_sink_dead_letters", "gauge", "Dead letters of sinks.", _ENGINE),
)  # fmt: skip

_WITH_SOURCES = "where there are rules of sources"
_SOURCE_ENGINE = {"engine": "what rules read: kinesis, sqs, queue"}
_SOURCES = (
    Family("thingtank_source_rules", "gauge", "Rules that read other systems' data.", {
        **_SOURCE_ENGINE, "state": "reading, failing, stuck"}),
    Family("thingtank_source_records", "counter",
        "Records and messages that were read, some of them twice maybe.", {
        **_SOURCE_ENGINE, "outcome": "written, rejected, skipped: of another shard"}),
    Family("thingtank_source_rejected_kept", "gauge",
        "Rejected records that are kept to be tried again.", _SOURCE_ENGINE),
    Family("thingtank_source_rejected_dropped", "counter",
        "Rejected records that were dropped for want of room.", _SOURCE_ENGINE),
    Family("thingtank_source_datapoints", "counter", "Datapoints that were written of them.",
        _SOURCE_ENGINE),
    Family("thingtank_source_messages_late", "counter",
        "Messages that others could receive again before they were deleted.", _SOURCE_ENGINE),
    Family("thingtank_source_failures", "counter", "Calls of sources that failed.", {
        **_SOURCE_ENGINE, "kind": "unreachable, throttled, credentials, not_allowed, missing, …"}),
    Family("thingtank_source_shards", "gauge", "Shards of streams that this server reads.",
        _SOURCE_ENGINE),
    Family("thingtank_source_behind_seconds", "gauge",
        "How far the rule of each kind that is most behind is behind.", _SOURCE_ENGINE),
)  # fmt: skip

_WITH_SCHEDULES = "where there are schedules of batch jobs"
_SCHEDULE = {"schedule": "its name"}
_BATCH = (
    Family("thingtank_batch_runs", "counter", "Runs of schedules that have ended.", {
        **_SCHEDULE, "outcome": "ok, failed"}),
    Family("thingtank_batch_alerts", "counter", "Alerts: a run counted more than the limit.",
        _SCHEDULE),
    Family("thingtank_batch_last_run_seconds", "gauge", "How long the last run took.", _SCHEDULE),
    Family("thingtank_batch_last_run_failed", "gauge", "1 when the last run failed.", _SCHEDULE),
)  # fmt: skip

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("thingtank", "info", "The version that runs.", {"version": "a version"}),
        Family("thingtank_ready", "gauge", "1 while the server is ready to serve (/readyz)."),
        Family(
            "thingtank_check",
            "gauge",
            "1 while a check of /readyz holds.",
            {"check": "journal, archive, outbox, database, doors"},
        ),
        Family(
            "thingtank_requests",
            "counter",
            "Requests that touched a device and were answered.",
            {"door": "xively_http, skynet_http, mqtt, wamp, …", "outcome": _OUTCOMES},
        ),
        Family(
            "thingtank_connections",
            "gauge",
            "Connections that are open.",
            {"door": "web, wamp, mqtt, xively_tcp, skynet_http, skynet_sockets"},
        ),
        Family(
            "thingtank_connections_opened",
            "counter",
            "Connections that were opened.",
            {"door": "mqtt"},
        ),
        Family(
            "thingtank_messages",
            "counter",
            "Messages of the message buses.",
            {"door": "wamp, mqtt", "direction": "in, out"},
        ),
        Family(
            "thingtank_bytes",
            "counter",
            "Bytes on connections.",
            {"door": "mqtt", "direction": "in, out"},
        ),
        Family(
            "thingtank_dropped",
            "counter",
            "Messages and events dropped, as somebody read too slowly or a queue was full.",
            {"queue": "bus, wamp, mqtt, device_events"},
        ),
        Family("thingtank_datapoints_written", "counter", "Datapoints that are on disk."),
        Family("thingtank_written_bytes", "counter", "What was written to the journal."),
        Family(
            "thingtank_write_batches_refused",
            "counter",
            "Batches of writes that the disk did not take.",
        ),
        Family(
            "thingtank_write_wait_seconds",
            "histogram",
            "From the first write of a batch until the batch was on disk.",
        ),
        Family("thingtank_journal_bytes", "gauge", "Size of the journal on disk."),
        Family(
            "thingtank_journal_behind_batches",
            "gauge",
            "Batches in the journal that the archive has still to take.",
        ),
        Family(
            "thingtank_journal_behind_bytes",
            "gauge",
            "What those batches take in memory; at archive.head_bytes_max writes are refused.",
        ),
        Family(
            "thingtank_archive_datapoints",
            "gauge",
            "Datapoints stored, overwritten ones included.",
            {"tier": "hot, cold"},
        ),
        Family("thingtank_archive_bytes", "gauge", "Size of the archive.", {"tier": "hot, cold"}),
        Family("thingtank_archive_segments", "gauge", "Parquet files of the cold tier that count."),
        Family(
            "thingtank_archive_bucket_bytes",
            "gauge",
            "What the cold tier's bucket has, with what it keeps for backups; and what of that is"
            " on this disk as well.",
            {"place": "bucket, disk"},
            only=_WITH_BUCKET,
        ),
        Family(
            "thingtank_archive_bucket_waiting_files",
            "gauge",
            "Files that are to go to the cold tier's bucket, and are on this disk only.",
            only=_WITH_BUCKET,
        ),
        Family(
            "thingtank_disk_free_bytes", "gauge", "What is free on the disk of the data folder."
        ),
        Family(
            "thingtank_last_backup_timestamp_seconds",
            "gauge",
            "When `thingtank backup` last ended well, since the epoch; 0 while it never did.",
        ),
        Family("thingtank_devices", "gauge", "Devices in the directory."),
        Family(
            "thingtank_outbox_deliveries",
            "gauge",
            "Deliveries in the outbox.",
            {"state": "waiting, delivered, dead, cancelled"},
        ),
        Family(
            "thingtank_delivery_attempts",
            "counter",
            "What became of attempts to deliver.",
            {"outcome": "delivered, retried, dead, postponed"},
        ),
        Family("thingtank_triggers_watching", "gauge", "Triggers at work."),
        Family("thingtank_triggers_fired", "counter", "Firings of triggers, but for tests."),
        Family(
            "thingtank_trigger_batches_missed",
            "counter",
            "Batches of which one trigger at least missed some values.",
        ),
        *(msgspec.structs.replace(family, only=_WITH_RULES) for family in _SINKS),
        *(msgspec.structs.replace(family, only=_WITH_SOURCES) for family in _SOURCES),
        *(msgspec.structs.replace(family, only=_WITH_SCHEDULES) for family in _BATCH),
        Family("thingtank_mqtt_sessions", "gauge", "MQTT sessions, those of absent clients too."),
        Family("thingtank_mqtt_subscriptions", "gauge", "Subscriptions of MQTT sessions."),
        Family("thingtank_mqtt_retained_messages", "gauge", "Retained messages of MQTT."),
        Family("thingtank_mqtt_queued_messages", "gauge", "Messages that wait for MQTT sessions."),
        Family("thingtank_wamp_sessions", "gauge", "WAMP sessions, in all realms."),
        Family("thingtank_wamp_subscriptions", "gauge", "Subscriptions of WAMP, in all realms."),
        Family("thingtank_wamp_registrations", "gauge", "Procedures of WAMP, in all realms."),
        Family("thingtank_skynet_sockets", "gauge", "SkyNet clients on sockets."),
        Family(
            "thingtank_event_loop_lag_seconds",
            "histogram",
            "By how much the event loop was late, looked at twice a second.",
        ),
    )
}
