"""What the weather station keeps: readings, the feeds that fill them, and the REST API's stations.

The book's models (boxes 8.10 and 8.17) keep text of at most ten letters. These keep a time and
numbers, so that the database can order and compare them; `readings` reads and writes that text.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from thingtank.tank.datapoints import text_of
from thingtank.web.weather.readings import LAT_MAX, LON_MAX

NAME_CHARS_MAX = 255

_LAT = (MinValueValidator(-LAT_MAX), MaxValueValidator(LAT_MAX))
_LON = (MinValueValidator(-LON_MAX), MaxValueValidator(LON_MAX))


class BoundFeed(models.Model):
    """A feed whose `temperature` channel fills the weather station. Goes with its device."""

    device = models.OneToOneField("catalog.Device", on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"feed {self.device_id}"


class TemperatureData(models.Model):
    """One reading. It goes with the feed it came from, and stays when somebody typed it in."""

    timestamp = models.DateTimeField(default=timezone.now)
    temperature = models.FloatField()
    lat = models.FloatField(null=True, blank=True, validators=_LAT)
    lon = models.FloatField(null=True, blank=True, validators=_LON)
    bound_feed = models.ForeignKey(
        BoundFeed, on_delete=models.CASCADE, null=True, editable=False, related_name="readings"
    )

    class Meta:
        """The newest of a feed is found at once."""

        verbose_name_plural = "temperature data"
        indexes = (
            models.Index(fields=("bound_feed", "timestamp"), name="readings_by_feed_and_time"),
        )

    def __str__(self) -> str:
        return f"{self.timestamp:%Y-%m-%d %H:%M:%S} UTC, {text_of(self.temperature)}"


class Station(models.Model):
    """One reading of a named station, as the Station REST API has it (box 8.17)."""

    name = models.CharField(max_length=NAME_CHARS_MAX)
    timestamp = models.DateTimeField()
    temperature = models.FloatField()
    lat = models.FloatField(validators=_LAT)
    lon = models.FloatField(validators=_LON)

    def __str__(self) -> str:
        return self.name
