"""Whose the database is."""

from django.db import models


class Owner(models.Model):
    """The one row that names the data folder whose directory this is.

    Attributes:
        tank: a name that follows from the folder's secret, and does not lead back to it.
        migrations: a mark of the migrations that the database has been through to the end.
    """

    tank = models.CharField(max_length=64, blank=True, default="")
    migrations = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.tank
