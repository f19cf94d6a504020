"""What the database keeps (boxes 8.10 and 8.17), as text, as in the book."""

from django.db import models


class Reading(models.Model):
    """What a reading has, whoever keeps it: Unix seconds, degrees Celsius, and a place."""

    timestamp = models.CharField(max_length=10)
    temperature = models.CharField(max_length=5)
    lat = models.CharField(max_length=10)
    lon = models.CharField(max_length=10)

    class Meta:
        """No table of its own."""

        abstract = True


class TemperatureData(Reading):
    """A reading that the page shows."""

    def __str__(self):
        return self.timestamp


class Station(Reading):
    """A reading of a named station, for the REST API."""

    name = models.CharField(max_length=10)

    class Meta:
        """Pages of a list have an order."""

        ordering = ("pk",)

    def __str__(self):
        return self.name
