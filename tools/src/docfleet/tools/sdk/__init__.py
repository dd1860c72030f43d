"""What a Python tool imports: ``Tool``, ``RunContext``, ``ToolResult`` and ``main``.

Importing this package is cheap on purpose; heavy libraries belong inside the methods that need them, or into
``Tool.preload``.
"""

from docfleet.tools.sdk.context import RunContext
from docfleet.tools.sdk.run import main, run_tool
from docfleet.tools.sdk.tool import Tool, ToolResult

__all__ = ["RunContext", "Tool", "ToolResult", "main", "run_tool"]
