"""The project's Celery application on the broker of the test that starts it: ``celery -A`` this."""

import json
import os

from gef_project.celery import app

app.conf.update(json.loads(os.environ["CELERY_CONF"]))
