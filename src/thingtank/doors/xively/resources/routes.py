"""Xively's route table: which handler answers a path with a method.

Source: Xively API v2, API resources.
"""

from thingtank.doors.xively.resources import datapoints, datastreams, feeds
from thingtank.doors.xively.resources.shared import Handler
from thingtank.protocols.xively.paths import (
    DatapointPath,
    DatapointsPath,
    DatastreamPath,
    DatastreamsPath,
    FeedPath,
    FeedsPath,
    XivelyPath,
)

HANDLERS: dict[tuple[type[XivelyPath], str], Handler] = {
    (FeedsPath, "GET"): feeds.list_all,
    (FeedsPath, "POST"): feeds.create,
    (FeedPath, "GET"): feeds.read,
    (FeedPath, "PUT"): feeds.update,
    (FeedPath, "DELETE"): feeds.delete,
    (DatastreamsPath, "GET"): feeds.read,
    (DatastreamsPath, "POST"): datastreams.create,
    (DatastreamPath, "GET"): datastreams.read,
    (DatastreamPath, "PUT"): datastreams.update,
    (DatastreamPath, "DELETE"): datastreams.delete,
    (DatapointsPath, "GET"): datastreams.read,
    (DatapointsPath, "POST"): datapoints.create,
    (DatapointsPath, "DELETE"): datapoints.delete_range,
    (DatapointPath, "GET"): datapoints.read,
    (DatapointPath, "PUT"): datapoints.update,
    (DatapointPath, "DELETE"): datapoints.delete,
}
