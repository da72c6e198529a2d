"""The history of another service: ``manage.py import_gefapi``; see docs/importing.md.

``source`` reads the other database, ``loading`` has the steps that every table takes, ``accounts``,
``executions``, ``logs`` and ``status_rows`` say what becomes of which column, and ``importer`` does all of it
in one transaction.
"""
