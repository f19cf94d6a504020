"""How the REST API writes a station (box 8.19)."""

from rest_framework import serializers

from myapp.models import Station


class StationSerializer(serializers.HyperlinkedModelSerializer):
    """A station with its own address as `url`."""

    class Meta:
        """Which of the model, in this order."""

        model = Station
        fields = ("url", "name", "timestamp", "temperature", "lat", "lon")
