"""The Station REST API's views (box 8.18), which load Django REST framework.

REST framework takes 8 MB and a tenth of a second, so `lazy_urls` imports this when one of its pages
is asked for.
"""

import copy
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.datastructures import MultiValueDict
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from rest_framework import viewsets
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.response import Response

from thingtank.web.django_settings import STATIONS_PER_PAGE
from thingtank.web.weather.models import Station
from thingtank.web.weather.panels import Reading, Source
from thingtank.web.weather.readings import at_us_of, parse_timestamp
from thingtank.web.weather.serializers import StationSerializer
from thingtank.web.workbench.pages import page

if TYPE_CHECKING:
    StationModelViewSet = viewsets.ModelViewSet[Station]
else:  # generic for type checkers only
    StationModelViewSet = viewsets.ModelViewSet


_INDENTED = re.compile(r"application/json; indent=[0-9]{1,2}")


class StationJsonParser(JSONParser):
    """REST framework's, for which JSON that exhausts the stack is no refusal."""

    def parse(self, *stream: Any, **options: Any) -> Any:
        """The values."""
        try:
            return super().parse(*stream, **options)
        except RecursionError:
            raise ParseError("the JSON is too deep") from None


class BodyTooLarge(APIException):
    """The body is larger than Django reads."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self) -> None:
        bytes_max = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        super().__init__(f"the body is too large; at most {bytes_max} bytes are read", "too_large")


class StationViewSet(StationModelViewSet):
    """Stations: list, create, read, update, patch and delete them. For admins."""

    queryset = Station.objects.order_by("id")
    serializer_class = StationSerializer
    lookup_value_regex = "[0-9]{1,18}"
    parser_classes = (StationJsonParser, FormParser, MultiPartParser)
    schema = None  # drf-spectacular, which describes the tank's own API, need not be loaded

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Say of what the answer depends; of indented JSON also that it is, as in the book."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        patch_vary_headers(answer, ["Accept", "Cookie"])
        answer["Cache-Control"] = "private, no-store"
        asked = getattr(request, "accepted_media_type", None) or ""
        if _INDENTED.fullmatch(asked) and answer.status_code != HTTPStatus.NO_CONTENT:
            answer.content_type = asked
        return answer

    def handle_exception(self, exc: Exception) -> Response:
        """Answer as REST framework does, but have no browser ask for a password in its own words.

        The page leads to the sign-in.
        """
        if isinstance(exc, RequestDataTooBig):  # which Django would answer with a page of its own
            asked: Any = self.request
            asked._data = asked._full_data = QueryDict()  # else it is read again
            asked._files = MultiValueDict()
            exc = BodyTooLarge()
        response = super().handle_exception(exc)
        renderer = getattr(self.request, "accepted_renderer", None)
        if renderer is not None and renderer.format == "api":
            response.headers.pop("WWW-Authenticate", None)
        return response


@csrf_exempt  # nothing is changed here
def with_slash(request: HttpRequest, pk: str) -> HttpResponse:
    """Lead a request for a station to its address, which ends in a slash; its body goes along."""
    url = reverse("rest:station-detail", args=[pk], query=request.GET)
    return HttpResponseRedirect(url, preserve_request=True)


@page
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the last station, read from the REST API as whoever asks (box 8.18)."""
    first = _read_page(request, 1)
    last_number = max(1, -(-first["count"] // STATIONS_PER_PAGE))
    last = first if last_number == 1 else _read_page(request, last_number)
    source = _source(last["results"][-1]) if last["results"] else None
    context: dict[str, object] = {"source": source, "sources": [], "is_rest": True}
    return render(request, "weather/index.html", context)


def _read_page(request: HttpRequest, number: int) -> Any:
    """One page of the list, by the API's own view, without a way around through the network."""
    asked = copy.copy(request)
    asked.method = "GET"
    asked.GET = QueryDict(f"page={number}")
    asked.META = {**request.META, "HTTP_ACCEPT": "application/json"}
    answer = StationViewSet.as_view({"get": "list"})(asked)
    if answer.status_code != 200:
        raise PermissionDenied("only admins may read the stations")
    return answer.data


def _source(station: Any) -> Source:
    at_us = at_us_of(parse_timestamp(station["timestamp"]))
    lat, lon = float(station["lat"]), float(station["lon"])
    return Source(0, station["name"], Reading(station["temperature"], "°", at_us, lat, lon))
