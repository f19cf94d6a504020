"""Settings of the embedded archive; section `archive` of the settings file."""

import msgspec


class ArchiveSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much the archive keeps in memory, and how often it moves and tidies.

    Attributes:
        pending_bytes_max: writes waiting for the disk; above it they are refused as Overloaded.
        head_bytes_max: writes on disk in the journal but not yet in the history store; above it
            (the history store cannot keep up, or fails) they are refused as Overloaded.
        move_rows: the head is moved to the history store when it holds so many datapoints,
        move_interval_s: or when its oldest is so old.
        trim_interval_s: what was moved is trimmed from the journal, and current values are saved,
            so often. A restart reads the journal since then.
        trim_bytes: or when so much was written to the journal.
        reader_bytes_max: what the journal keeps for readers behind it, such as the triggers, that
            cannot keep up; beyond it they miss what is oldest, which is logged, and writes go on.
        hot_s: datapoints stay in the hot tier for so long at least; whole days (UTC) beyond it are
            moved to the cold one.
        compact_interval_s: how often that is looked for.
        cold: where the cold tier's files go, such as `s3://bucket/prefix`, by the settings of
            section `aws`; blank keeps them in the data folder.
        cold_cache_bytes_max: what of a bucket's files stays on this disk as well, those used last.
        cold_keep_s: what was replaced or deleted stays in the bucket for so long, for the backups
            that name it.
        cold_infrequent_days: the bucket moves files so old to the storage class for what is read
            seldom; 0 leaves them.
        reader_threads: queries that run at the same time.
        duckdb_threads: how many threads one query may use.
        duckdb_memory_bytes_max: what the database may hold in memory.
    """

    pending_bytes_max: int = 64 * 1024 * 1024
    head_bytes_max: int = 256 * 1024 * 1024
    move_rows: int = 50_000
    move_interval_s: float = 1.0
    trim_interval_s: float = 5.0
    trim_bytes: int = 64 * 1024 * 1024
    reader_bytes_max: int = 256 * 1024 * 1024
    hot_s: int = 2 * 86_400
    compact_interval_s: float = 300.0
    cold: str = ""
    cold_cache_bytes_max: int = 1024 * 1024 * 1024
    cold_keep_s: int = 30 * 86_400
    cold_infrequent_days: int = 0
    reader_threads: int = 4
    duckdb_threads: int = 2
    duckdb_memory_bytes_max: int = 256 * 1024 * 1024
