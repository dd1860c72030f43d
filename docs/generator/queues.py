"""`queues-and-tasks.md`: from the table of worker types, the names on the wire and the docstrings of the tasks."""

from __future__ import annotations

import ast

from docfleet.core.names import QueueName, TaskName
from docs.generator.markdown import code, first_sentence, page, prose, table
from docs.generator.sources import defined, sources


def task_docstrings() -> dict[str, str]:
    """The docstring of each task's function, by member of ``TaskName``."""
    docstrings: dict[str, str] = {}
    for source in sources():
        for node in source.tree.body:
            if isinstance(node, ast.FunctionDef):
                for decorator in node.decorator_list:
                    if (member := _task_of(decorator)) is not None:
                        docstrings.setdefault(member, first_sentence(ast.get_docstring(node)))
    return docstrings


def _task_of(decorator: ast.expr) -> str | None:
    for node in ast.walk(decorator):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "TaskName":
            return node.attr
    return None


def render() -> str:
    """The page."""
    workers = defined("WORKERS").values()
    docstrings = task_docstrings()
    types = [
        (
            code(spec.type.value),
            ", ".join(code(queue.value) for queue in spec.queues),
            spec.health_port,
            spec.concurrency or "one per processor",
            f"{spec.soft_time_limit} / {spec.time_limit}",
            spec.max_tasks_per_child,
        )
        for spec in workers
    ]
    head = ("worker type", "queues", "health port", "slots", "soft / hard limit (s)", "tasks per child")
    queues = [
        (code(queue.value), ", ".join(code(spec.type.value) for spec in workers if queue in spec.queues) or "nobody")
        for queue in QueueName
    ]
    tasks = []
    for task in TaskName:
        takers = [spec.type.value for spec in workers if task in spec.tasks]
        tasks.append((code(task.value), ", ".join(map(code, takers)) or "nobody", docstrings.get(task.name, "")))
    return page(
        "Queues and tasks",
        prose(
            "Every queue is durable, and its routing key equals its name. Messages and results are JSON. "
            "Who sends a task names it; no process imports another one's functions."
        ),
        "## Worker types",
        table(head, types),
        "## Queues",
        table(("queue", "worker type"), queues),
        "## Tasks",
        table(("task", "worker type", "what it does"), tasks),
    )
