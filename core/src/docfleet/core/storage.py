"""The layout of the storage that backend, workers and runner share.

::

    {root}/{organization}/{workflow}/{execution}/{file_execution}/
        SOURCE  INFILE  METADATA.json  COPY_TO_FOLDER/
        WORDS           words with their places, for the tools of later steps (docfleet.tools.sdk.words)
        EVIDENCE.json   where the values in INFILE stand, a DocumentEvidence (docfleet.core.evidence)
    {root}/{organization}/{workflow}/{execution}/uploads/
        one file per content, named by its SHA-256; it may outlive the execution, for a retry
    {root}/.steps/{organization}/{workflow}/{key}/
        what a finished step of a file left, until the file is done
    {root}/.logs/{organization}/{first two characters of the execution}/{execution}.jsonl.gz
        the archived log of an execution
    {root}/.evidence/{organization}/{first two characters of the execution}/{execution}/{file_execution}.json
        the evidence for a result that was delivered; of an API's run the result itself has it

The layout and the names are the original's (Unstract at 6b916eac), but for WORDS, EVIDENCE.json and the folders with a
dot. Folder names are ids, never
names from outside, so no name of a document can leave its folder.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from docfleet.core.errors import UnsafePath

SOURCE = "SOURCE"
INFILE = "INFILE"
METADATA = "METADATA.json"
COPY_TO_FOLDER = "COPY_TO_FOLDER"
WORDS = "WORDS"
EVIDENCE = "EVIDENCE.json"
SIDE_FILES = (WORDS, EVIDENCE)
"""What a tool may leave beside INFILE."""
UPLOADS = "uploads"
STEPS = ".steps"
LOGS = ".logs"
KEPT_EVIDENCE = ".evidence"
"""No organization can have these names."""

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")


def execution_folder(organization_id: str, workflow_id: str, execution_id: str) -> str:
    """The execution's folder, relative to the storage root. Raises ``UnsafePath``."""
    return "/".join(safe_segment(part) for part in (organization_id, workflow_id, execution_id))


def file_folder(organization_id: str, workflow_id: str, execution_id: str, file_execution_id: str) -> str:
    """The folder of one file, relative to the storage root. Raises ``UnsafePath``."""
    return f"{execution_folder(organization_id, workflow_id, execution_id)}/{safe_segment(file_execution_id)}"


def upload_folder(organization_id: str, workflow_id: str, execution_id: str) -> str:
    """Where an API call's files are staged, relative to the storage root. Raises ``UnsafePath``."""
    return f"{execution_folder(organization_id, workflow_id, execution_id)}/{UPLOADS}"


def steps_folder(root: Path, organization_id: str, workflow_id: str) -> Path:
    """Where the results of finished steps are kept. Raises ``UnsafePath``."""
    return root.joinpath(STEPS, safe_segment(organization_id), safe_segment(workflow_id))


def archived_log(root: Path, organization_id: str, execution_id: str) -> Path:
    """The file of an execution's archived log. Raises ``UnsafePath``."""
    name = safe_segment(execution_id)
    return root.joinpath(LOGS, safe_segment(organization_id), name[:2], f"{name}.jsonl.gz")


def evidence_folder(root: Path, organization_id: str, execution_id: str) -> Path:
    """Where the evidence for the results of an execution is kept. Raises ``UnsafePath``."""
    name = safe_segment(execution_id)
    return root.joinpath(KEPT_EVIDENCE, safe_segment(organization_id), name[:2], name)


def resolve_folder(root: Path, folder: str) -> Path:
    """``folder`` below ``root``, checked again on the receiving side. Raises ``UnsafePath``."""
    parts = folder.split("/")
    for part in parts:
        safe_segment(part)
    return root.joinpath(*parts)


def remove_work(folder: Path) -> bool:
    """Delete the contents of an execution's ``folder`` except its uploads, and the folder if it is empty then. True
    when there was something to delete. Harmless when the folder is gone."""
    try:
        paths = [path for path in folder.iterdir() if path.name != UPLOADS]
    except FileNotFoundError:
        return False
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:
        return bool(paths)  # the uploads are in it
    return True


def safe_segment(part: str) -> str:
    """``part`` itself when it is one folder name, or an organization's id. Raises ``UnsafePath``."""
    if not isinstance(part, str) or not _SEGMENT.match(part):
        raise UnsafePath(f"not a folder name: {part!r:.120}")
    return part
