"""MongoDB's own Django backend, with the whole numbers for ids that the rest of the tank has.

That backend wants `ObjectId`s for keys. Feeds have had numbers since Xively, the archive knows
datastreams by theirs, and the migrations of Django's own apps make numbers too; so the next number
of each collection is kept in one more, and the backend's own check of keys is left out.
"""

from typing import Any, ClassVar

from django.db.backends.base.validation import BaseDatabaseValidation
from django_mongodb_backend import base, operations


class DatabaseOperations(operations.DatabaseOperations):
    """Runs inserts that number their rows."""

    compiler_module = "thingtank.web.database.mongodb.compiler"


class DatabaseWrapper(base.DatabaseWrapper):
    """Makes connections."""

    data_types: ClassVar[dict[str, Any]] = {
        **base.DatabaseWrapper.data_types,
        "AutoField": "long",
        "BigAutoField": "long",
        "SmallAutoField": "long",
    }
    ops_class = DatabaseOperations
    validation_class = BaseDatabaseValidation
