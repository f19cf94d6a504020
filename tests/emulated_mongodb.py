"""What speaks MongoDB's language without a server: an emulation of its driver, in memory.

There is no package of a real server to test with, so this is what MongoDB is tested by. It has no
transactions, and knows nothing of search indexes and of a server's errors.
"""

import contextlib
from typing import Any

import pytest

NAME = "tank"


@contextlib.contextmanager
def emulated_mongodb() -> Any:
    """Have Django's backend for MongoDB use the emulation; the settings of a database on it."""
    mongomock = pytest.importorskip("mongomock_ng")
    from django_mongodb_backend import base, features

    from thingtank.web.database.mongodb.base import DatabaseWrapper

    client = mongomock.MongoClient()
    nothing = lambda _self: None  # noqa: E731 - a table of one line each
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "MongoClient", lambda **_: client)
        patch.setattr(features.DatabaseFeatures, "supports_atlas_search", False)
        patch.setattr(DatabaseWrapper, "get_collection", lambda self, name, **_: client[NAME][name])
        patch.setattr(DatabaseWrapper, "start_transaction_mongo", nothing)
        patch.setattr(DatabaseWrapper, "_connection_pools", {})
        yield f"mongodb://127.0.0.1/{NAME}"
