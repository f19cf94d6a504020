"""Rows in a table of MySQL, MariaDB, PostgreSQL or SQLite."""

from thingtank.sinks.engines.sql.engine import SqlEngine, make_engine
from thingtank.sinks.engines.sql.settings import Settings, place_problem

__all__ = ["Settings", "SqlEngine", "make_engine", "place_problem"]
