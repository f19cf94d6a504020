"""What MongoDB's backend compiles queries by, with inserts that number their rows."""

from typing import Any

from django.db.models import AutoField
from django_mongodb_backend.compiler import (
    SQLAggregateCompiler,
    SQLCompiler,
    SQLDeleteCompiler,
    SQLUpdateCompiler,
)
from django_mongodb_backend.compiler import SQLInsertCompiler as ObjectIdInsertCompiler
from django_mongodb_backend.query import wrap_database_errors
from pymongo import ReturnDocument

__all__ = [
    "SQLAggregateCompiler",
    "SQLCompiler",
    "SQLDeleteCompiler",
    "SQLInsertCompiler",
    "SQLUpdateCompiler",
]

NUMBERS = "thingtank_numbers"  # a document a collection, with the last number that was given


class SQLInsertCompiler(ObjectIdInsertCompiler):
    """Gives each row without a number the next one; a number is never given twice."""

    def insert(
        self, docs: list[dict[str, Any]], returning_fields: list[Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Store documents; return their keys if any column is asked for."""
        key = self.query.get_meta().pk
        if not isinstance(key, AutoField):
            found: list[tuple[Any, ...]] = super().insert(docs, returning_fields)
            return found
        column = str(key.column)
        self._number(docs, column)
        super().insert(docs)
        return [(doc[column],) for doc in docs] if returning_fields else []

    @wrap_database_errors
    def _number(self, docs: list[dict[str, Any]], column: str) -> None:
        missing = [doc for doc in docs if doc.get(column) is None]
        given = [doc[column] for doc in docs if doc.get(column) is not None]
        if given:
            self._numbers({"$max": {"last": max(given)}})
        if missing:
            last = self._numbers({"$inc": {"last": len(missing)}})
            for number, doc in enumerate(missing, last - len(missing) + 1):
                doc[column] = number

    def _numbers(self, change: dict[str, Any]) -> int:
        # Outside of any transaction: a number that is not used is lost, as with other databases.
        found = self.connection.get_collection(NUMBERS).find_one_and_update(
            {"_id": self.collection_name},
            change,
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return int(found["last"])
