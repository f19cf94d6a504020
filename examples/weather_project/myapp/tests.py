"""A reading is typed in and shown; a station goes through the REST API."""

from django.contrib.auth.models import User
from django.test import TestCase

READING = {"timestamp": "1393926308", "temperature": "25", "lat": "30.733315", "lon": "76.779418"}
STATION = {"name": "CityName", **READING}


class WeatherStationTest(TestCase):
    """As an admin and as a stranger."""

    def setUp(self):
        """An admin who is signed in."""
        self.client.force_login(User.objects.create_superuser("arshdeep"))

    def test_a_reading_is_typed_in_and_shown(self):
        """Figures 8.8 to 8.10."""
        self.assertContains(self.client.get("/"), "No readings yet.")
        added = self.client.post("/admin/myapp/temperaturedata/add/", READING)
        self.assertRedirects(added, "/admin/myapp/temperaturedata/")
        page = self.client.get("/")
        self.assertContains(page, '<b id="temperature">25</b>')
        self.assertContains(page, "30.733315, 76.779418")

    def test_a_station_is_added_listed_changed_and_deleted(self):
        """Box 8.22."""
        made = self.client.post("/station/", STATION, "application/json")
        assert made.status_code == 201
        url = made.json()["url"]
        listed = self.client.get("/station/").json()
        assert (listed["count"], listed["results"]) == (1, [{"url": url, **STATION}])
        changed = self.client.patch(url, {"temperature": "29"}, "application/json")
        assert changed.json()["temperature"] == "29"
        assert self.client.delete(url).status_code == 204
        assert self.client.get("/station/").json()["count"] == 0

    def test_the_rest_api_is_for_admins(self):
        """As its settings say."""
        self.client.logout()
        assert self.client.get("/station/").status_code == 403
