"""The web server's entry: ``gunicorn gef_project.wsgi``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gef_project.settings")

application = get_wsgi_application()
