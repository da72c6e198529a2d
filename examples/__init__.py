"""Scripts that the service can run: standard library only, each started as ``python -m examples.<name>``."""
