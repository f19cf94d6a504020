"""Rows of the catalog. Times are whole microseconds since the epoch, UTC, as in the core.

Ids are never used again, because the archive knows datastreams by theirs.
"""

from django.conf import settings
from django.db import models


class Device(models.Model):
    """A thing, and its feed."""

    uuid = models.CharField(max_length=36, unique=True)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="devices"
    )
    title = models.CharField(max_length=255)
    private = models.BooleanField(default=True)
    description = models.TextField(blank=True)
    tags = models.JSONField(default=list, blank=True)
    website = models.CharField(max_length=255, blank=True)
    email = models.CharField(max_length=255, blank=True)
    icon = models.CharField(max_length=255, blank=True)
    location = models.JSONField(null=True, blank=True)
    created_us = models.BigIntegerField()
    updated_us = models.BigIntegerField()
    retention_s = models.BigIntegerField(null=True, blank=True)
    located_us = models.BigIntegerField(null=True, blank=True)
    token_digest = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return self.title


class Datastream(models.Model):
    """One series of a device."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="datastreams")
    name = models.CharField(max_length=255)
    tags = models.JSONField(default=list, blank=True)
    unit = models.JSONField(null=True, blank=True)

    class Meta:
        """One name a device."""

        constraints = (
            models.UniqueConstraint(fields=("device", "name"), name="datastream_name_of_device"),
        )

    def __str__(self) -> str:
        return self.name


class Waypoint(models.Model):
    """A place where a mobile device was; a device's later ones have greater ids."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="waypoints")
    at_us = models.BigIntegerField()
    lat = models.FloatField()
    lon = models.FloatField()
    ele = models.CharField(max_length=255, blank=True)

    def __str__(self) -> str:
        return f"{self.lat}, {self.lon}"


class ApiKey(models.Model):
    """A key: its digest to find it by, its secret sealed to show it."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys"
    )
    label = models.CharField(max_length=255)
    private_access = models.BooleanField(default=True)
    permissions = models.JSONField()
    expires_us = models.BigIntegerField(null=True, blank=True)
    created_us = models.BigIntegerField()
    digest = models.BinaryField(max_length=32, unique=True)
    sealed = models.BinaryField()

    def __str__(self) -> str:
        return self.label
