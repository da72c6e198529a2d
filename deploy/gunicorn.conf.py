"""How the web server runs: ``gunicorn --config deploy/gunicorn.conf.py``."""

from gef_project import settings

wsgi_app = "gef_project.asgi:application"
bind = f"127.0.0.1:{settings.PORT}"
workers = 2
worker_class = "gef_project.web.Worker"
graceful_timeout = 3
limit_request_line = 8190  # a filter may have a hundred terms
accesslog = "-"
control_socket_disable = True  # it would be shared with every other gunicorn of this user
