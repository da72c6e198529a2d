import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from kombu import Connection

MESSAGES = 100
WRITER = """
import sys
from kombu import Connection

folder, messages = sys.argv[1], int(sys.argv[2])
options = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder + "/control"}
with Connection(transport="gef_project.broker:Transport", transport_options=options) as connection:
    queue = connection.SimpleQueue("busy")
    for number in range(messages):
        queue.put({"number": number, "padding": list(range(20_000))})
"""


def test_readers_see_every_message_once_and_whole_while_others_write(tmp_path: Path) -> None:
    (tmp_path / "control").mkdir()
    options = {
        "data_folder_in": str(tmp_path),
        "data_folder_out": str(tmp_path),
        "control_folder": str(tmp_path / "control"),
        "polling_interval": 0.001,
    }
    writer = [sys.executable, "-c", WRITER, str(tmp_path), str(MESSAGES)]
    writers = [subprocess.Popen(writer, cwd=settings.BASE_DIR) for _ in range(2)]
    with Connection(transport="gef_project.broker:Transport", transport_options=options) as connection:
        queue = connection.SimpleQueue("busy")
        numbers = [queue.get(timeout=30).payload["number"] for _ in range(2 * MESSAGES)]
        with pytest.raises(queue.Empty):
            queue.get(block=False)
        queue.close()
    assert [process.wait() for process in writers] == [0, 0]
    assert sorted(numbers) == sorted([*range(MESSAGES)] * 2)
