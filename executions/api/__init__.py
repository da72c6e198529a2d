"""The API of scripts, executions and their logs."""
