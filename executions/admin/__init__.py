from .executions import ExecutionAdmin
from .scripts import ScriptAdmin

__all__ = ["ExecutionAdmin", "ScriptAdmin"]
