"""What may be looked at and changed at /admin/ (box 8.11)."""

from django.contrib import admin

from myapp.models import Station, TemperatureData

admin.site.register(TemperatureData)
admin.site.register(Station)
