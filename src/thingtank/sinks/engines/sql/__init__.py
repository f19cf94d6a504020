"""Rows in a table of MySQL, MariaDB, PostgreSQL or SQLite; the chapter's box 8.28, as a sink."""

from thingtank.sinks.engines.sql.engine import SqlEngine, make_engine
from thingtank.sinks.engines.sql.settings import Settings

__all__ = ["Settings", "SqlEngine", "make_engine"]
