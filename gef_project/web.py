"""The web server's worker, which lets those who wait for news go as soon as it is to stop."""

from gunicorn.workers.gasgi import ASGIWorker


class Worker(ASGIWorker):
    def handle_exit_signal(self) -> None:
        super().handle_exit_signal()
        # Only now: the models need the application, which has been loaded by now.
        from status.feed import feed

        feed.end()
