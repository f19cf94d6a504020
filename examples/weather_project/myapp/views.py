"""The page (box 8.12) and the REST API (box 8.18)."""

from django.shortcuts import render
from rest_framework import viewsets

from myapp.models import Station, TemperatureData
from myapp.serializers import StationSerializer


def home(request):
    """Show the reading that was added last; the book's fails while there is none."""
    return render(
        request, "index.html", {"reading": TemperatureData.objects.order_by("-pk").first()}
    )


class StationViewSet(viewsets.ModelViewSet):
    """List, add, read, change and delete stations."""

    queryset = Station.objects.all()
    serializer_class = StationSerializer
