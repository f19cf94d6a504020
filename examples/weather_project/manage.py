#!/usr/bin/env python
"""The Django project of the book's sections 8.4 and 8.5, in today's Django (boxes 8.5 and 8.16).

It was begun by `django-admin startproject weatherstation` and `python manage.py startapp myapp`.

    pip install django djangorestframework
    python manage.py migrate
    python manage.py createsuperuser
    python manage.py runserver 8001

Then http://127.0.0.1:8001/ is the page, /admin/ where readings are typed in, and /station/ the REST
API. `python manage.py test` tries all of it. Thing Tank has the same pages built in, with a map.
"""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "weatherstation.settings")
    execute_from_command_line(sys.argv)
