"""Rows of the catalog. Times are whole microseconds since the epoch, UTC, as in the core.

Ids are never used again, because the archive knows datastreams by theirs.
"""

from django.conf import settings
from django.db import models


class Device(models.Model):
    """A thing, and its feed."""

    uuid = models.CharField(max_length=64, unique=True)
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
    # Its origin. It outlives the product and the activation, so it is no foreign key.
    product_id = models.CharField(max_length=20, blank=True, default="")
    device_serial = models.CharField(max_length=255, blank=True, default="")
    located_us = models.BigIntegerField(null=True, blank=True)
    properties = models.JSONField(default=dict, blank=True)
    token_digest = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return self.title


class DeviceToken(models.Model):
    """One of a device's tokens besides its root token: only a digest of it."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="tokens")
    digest = models.BinaryField(max_length=32)
    tag = models.CharField(max_length=255, blank=True)
    created_us = models.BigIntegerField()

    def __str__(self) -> str:
        return self.tag or f"token {self.pk}"


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


class Trigger(models.Model):
    """Tells a receiver when a datastream's value meets a condition. Goes with its datastream."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="triggers"
    )
    datastream = models.ForeignKey(Datastream, on_delete=models.CASCADE, related_name="triggers")
    kind = models.CharField(max_length=8)
    threshold = models.CharField(max_length=255, blank=True)
    url = models.CharField(max_length=2048, blank=True)
    email = models.CharField(max_length=254, blank=True)
    clear_value = models.CharField(max_length=255, blank=True)
    hold_s = models.BigIntegerField(default=0)
    quiet_s = models.BigIntegerField()
    is_enabled = models.BooleanField(default=True)
    created_us = models.BigIntegerField()
    armed = models.JSONField()

    def __str__(self) -> str:
        return f"{self.kind} {self.threshold}".strip()


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


class Product(models.Model):
    """What devices are provisioned from: a template, and the secret of activation codes."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="products"
    )
    product_id = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    template = models.JSONField()
    state = models.CharField(max_length=10)
    created_us = models.BigIntegerField()
    secret_digest = models.BinaryField(max_length=32)
    secret_sealed = models.BinaryField()

    def __str__(self) -> str:
        return self.name


class ProductDevice(models.Model):
    """One serial of a product. Of its activation code there is only a digest to find it by."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="devices")
    serial = models.CharField(max_length=255)
    code_digest = models.BinaryField(max_length=32, unique=True)
    created_us = models.BigIntegerField()
    activated_us = models.BigIntegerField(null=True, blank=True)
    feed = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, blank=True)
    key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, blank=True)

    class Meta:
        """One serial a product."""

        constraints = (
            models.UniqueConstraint(fields=("product", "serial"), name="serial_of_product"),
        )
        # Counts and lists of active ones read only this.
        indexes = (models.Index(fields=("product", "activated_us"), name="active_of_product"),)

    def __str__(self) -> str:
        return self.serial
