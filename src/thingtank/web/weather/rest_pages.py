"""What a browser is shown of the REST API (figure 8.11): pages and forms in the workbench's look.

REST framework's own have styles and scripts in their markup, which our content security policy
forbids. It is no app of Django's here: then its template tags, and with them all of it, would be
loaded with the first page of any kind.
"""

from typing import Any

from django.template import loader
from rest_framework.pagination import PageNumberPagination
from rest_framework.renderers import BrowsableAPIRenderer, HTMLFormRenderer


class FormRenderer(HTMLFormRenderer):
    """A serializer's fields as a form's; all of them are text."""

    def render(self, data: Any, *_: Any, **__: Any) -> str:
        """The fields, with what was typed and what is wrong with it."""
        return loader.render_to_string("weather/rest_form.html", {"form": data.serializer})


class PageRenderer(BrowsableAPIRenderer):
    """An answer as a page, with forms for what may be sent."""

    template = "weather/rest.html"
    form_renderer_class = FormRenderer


class Pages(PageNumberPagination):
    """Lists in pages, as many a page as the settings say."""

    template = "weather/rest_pages.html"
