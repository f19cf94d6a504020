"""Django's PostgreSQL backend, with JSON columns that keep what they were given.

`jsonb` sorts keys, and refuses some strings that JSON may have; nothing here looks into JSON by
SQL, so `json`, which keeps the text, does.
"""

from json import JSONEncoder
from typing import Any

from django.db.backends.postgresql import base, operations
from psycopg.types.json import Json
from psycopg.types.string import TextLoader


class DatabaseOperations(operations.DatabaseOperations):
    """Sends JSON as `json`."""

    def adapt_json_value(self, value: Any, encoder: type[JSONEncoder] | None) -> Any:
        """A parameter for a JSON column."""
        return Json(value, dumps=operations.get_json_dumps(encoder))


class DatabaseWrapper(base.DatabaseWrapper):
    """Makes connections."""

    data_types = {  # noqa: RUF012 - as Django declares it
        **base.DatabaseWrapper.data_types,
        "JSONField": "json",
    }
    ops_class = DatabaseOperations

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect; Django's fields parse JSON themselves."""
        connection = super().get_new_connection(conn_params)
        connection.adapters.register_loader("json", TextLoader)
        return connection
