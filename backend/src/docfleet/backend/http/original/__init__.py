"""Routes that only the original's workers call, below ``/internal/v1``. Our own workers need none of them.

::

    POST /workflow-manager/execution/create               a scheduler writes an execution, and sends it itself
    POST /workflow-execution/{id}/update_status           an orchestrator or callback moves an execution
    POST /file-execution                                  a batch writes the row of a file before it works on it
    GET  /file-execution                                  a batch looks for a file's row by path or content
    GET  /file-execution/{id}                             a batch reads a file's row
    POST /file-execution/{id}/status                      a batch moves a file
    POST /workflow-manager/file-execution/check-active    an orchestrator leaves out what another execution works on
    POST /file-history/batch-lookup                       an orchestrator leaves out what was processed before
    GET  /file-history/cache-key/{key}                    a batch answers known content without a run
    POST /file-history/create                             a batch counts a finished file
    GET  /pipeline/{id}                                   a scheduler reads a pipeline, and whether it is active
    PUT  /pipeline/{id}                                   a callback notes how a pipeline's run ended
    GET  /usage/aggregated-token-count/{id}               a batch puts the tokens of a file into its result
    GET  /usage/aggregated-pages-processed/{id}           a batch puts the pages of a file into its result
    POST /usage/batch                                     a tool writes what it used
    GET  /workflow-manager/workflow/{id}                  an orchestrator reads a workflow
    GET  /workflow-manager/{id}/endpoint                  an orchestrator reads a workflow's source and destination
    GET  /workflow-manager/workflow/{id}/tool-instances   a batch reads a workflow's tools
    POST /tool-execution/validate                         an orchestrator checks the tools' settings
    GET  /tool-execution/tool/{id}                        a batch reads what a tool is
"""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from docfleet.backend.http.original import executions, files, history, pipelines, usage, workflows

handlers: list[ControllerRouterHandler] = [
    *executions.handlers,
    *files.handlers,
    *history.handlers,
    *pipelines.handlers,
    *usage.handlers,
    *workflows.handlers,
]
