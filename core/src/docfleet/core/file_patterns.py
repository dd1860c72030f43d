"""Patterns of file names: which files of a source are documents."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Sequence

_WORD = ("*.doc", "*.docx", "*.docm", "*.dot", "*.dotx", "*.dotm", "*.odt", "*.ott", "*.fodt")
_EXCEL = ("*.xls", "*.xlsx", "*.xlsm", "*.xlsb", "*.xlt", "*.xltx", "*.xltm", "*.ods", "*.ots", "*.fods")
_POWERPOINT = (
    *("*.ppt", "*.pptx", "*.pptm", "*.pps", "*.ppsx", "*.ppsm", "*.pot", "*.potx", "*.potm"),
    *("*.odp", "*.otp", "*.fodp"),
)
GROUPS: dict[str, tuple[str, ...]] = {
    "pdf documents": ("*.pdf",),
    "word documents": (*_WORD, "*.rtf"),
    "excel documents": _EXCEL,
    "powerpoint documents": _POWERPOINT,
    "text files": ("*.txt", "*.md", "*.log"),
    "image files": (
        "*.png",
        "*.jpg",
        "*.jpeg",
        "*.tif",
        "*.tiff",
        "*.bmp",
        "*.gif",
        "*.webp",
        "*.heic",
        "*.heif",
        "*.avif",
    ),
    "csv files": ("*.csv", "*.tsv"),
    "json files": ("*.json", "*.jsonl"),
    "xml files": ("*.xml",),
    "all files": ("*",),
    "office documents": (*_WORD, *_EXCEL, *_POWERPOINT),
    "document files": ("*.pdf", *_WORD, "*.rtf", "*.txt"),
    "spreadsheet files": (*_EXCEL, "*.csv"),
    "presentation files": _POWERPOINT,
    "archive files": ("*.zip", "*.tar", "*.gz", "*.7z", "*.rar"),
    "video files": ("*.mp4", "*.mov", "*.avi", "*.mkv", "*.webm"),
    "audio files": ("*.mp3", "*.wav", "*.flac", "*.ogg", "*.m4a"),
}
"""Display names of file groups (those of the original) and the patterns behind them."""

SYSTEM_FILES = "system files"
"""The group of what systems, editors and downloads leave in folders."""
_SYSTEM: tuple[str, ...] = (
    # macOS
    *("._*", ".ds_store", ".appledouble", ".apdisk", "__macosx", ".trashes", ".spotlight-v100", ".fseventsd"),
    *(".temporaryitems", "temporary items", "network trash folder", ".documentrevisions-v100", ".lsoverride", "icon\r"),
    *(".volumeicon.icns", ".com.apple.*", ".localized", ".metadata_never_index", ".afpdeleted*"),
    # Windows
    *("thumbs.db", "thumbs.db:encryptable", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$recycle.bin"),
    *("system volume information", "$windows.~*", "found.[0-9][0-9][0-9]", "ntuser.dat*", "indexervolumeguid"),
    # Linux and its file systems
    *(".directory", ".trash", ".trash-*", ".thumbnails", "lost+found", ".fuse_hidden*", ".smbdelete*"),
    *(".nfs[0-9a-f][0-9a-f][0-9a-f][0-9a-f]*", ".snapshot", ".snapshots", ".zfs"),
    # Network storage and clients that synchronize
    *("@eadir", "#recycle", "@recycle", "#snapshot", "@recently-snapshot", "@tmp", "@sharebin", "@sharesnap"),
    *(".@__thumb", "@__thumb", ".@upload_cache", ".synologyworkingdirectory", ".stfolder*", ".stversions", ".stignore"),
    *(".syncthing.*", "~syncthing~*", ".dropbox", ".dropbox.cache", ".dropbox.attr", ".tmp.drivedownload"),
    *(".tmp.driveupload", ".sync_*.db*", "._sync_*.db*", ".owncloudsync.log*", ".nextcloudsync.log*"),
    # Office programs and editors: locks, owners, backups
    *("~$*", ".~*", "~wr[acdfl]*.tmp", ".#*", "*~", ".*.sw[a-p]"),
    # Copies and downloads that are not complete; rsync writes .NAME.XXXXXX
    *("*.tmp", "*.temp", "*.part", "*.partial", "*.crdownload", "*.download", "*.opdownload", "*.filepart"),
    *("*.!ut", "*.!qb", "*.bc!", "*.aria2", "*.ut!", ".*." + 6 * "[0-9a-z]"),
    # The data folder of an embedded system, and files that are being delivered
    *(".docfleet", ".docfleet-*.part"),
    # Repositories
    *(".git", ".gitignore", ".gitattributes", ".gitmodules", ".gitkeep", ".svn", ".hg", ".bzr"),
)
_PLURAL = re.compile(r"s\Z")
_LIST = re.compile(r"[,;|]\s*[*.]|\{.*,.*\}")


def name_filter(patterns: Sequence[str]) -> Callable[[str], bool]:
    """A test for file names. A pattern is a group's name, a glob (``*.pdf``), or an extension (``pdf``,
    ``.pdf``); letter case does not matter; no pattern means every file."""
    is_ignored = ignored(patterns)
    globs = {glob for pattern in patterns for glob in _globs(pattern)}
    return (lambda name: True) if not globs or "*" in globs else is_ignored


def ignored(patterns: Sequence[str]) -> Callable[[str], bool]:
    """As ``name_filter``, but no pattern means no file."""
    globs = sorted({glob for pattern in patterns for glob in _globs(pattern)})
    if not globs:
        return lambda name: False
    matches = re.compile("|".join(map(fnmatch.translate, globs))).match
    return lambda name: matches(name.lower()) is not None


def check(option: str, patterns: Sequence[str]) -> None:
    """Raise ``ValueError``, naming the ``option``, for a pattern that no file could match as it is meant: a group that
    is not known, a path, or a list in one text."""
    for pattern in patterns:
        text = pattern.strip().lower()
        if text in GROUPS or text == SYSTEM_FILES:
            continue
        if "/" in text or "\\" in text:
            raise ValueError(
                f"{option}: {pattern!r:.100} is no pattern of file names: it has a slash; name folders in `folders`"
            )
        if _LIST.search(text):
            raise ValueError(f"{option}: {pattern!r:.100} is several patterns in one: give each as an item of the list")
        if not any(mark in text for mark in "*?[.") and (" " in text or _PLURAL.sub("", text) in _WORDS):
            near = difflib.get_close_matches(text, (*GROUPS, SYSTEM_FILES), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"{option}: {pattern!r:.100} is no file group: {hint}the groups are {', '.join(GROUPS)}")


def _globs(pattern: str) -> tuple[str, ...]:
    pattern = pattern.strip().lower()
    if not pattern:
        return ()
    if pattern == SYSTEM_FILES:
        return _SYSTEM
    if pattern in GROUPS:
        return GROUPS[pattern]
    if any(mark in pattern for mark in "*?["):
        return (pattern,)
    if pattern.startswith(".") or "." not in pattern:
        return (f"*.{pattern.lstrip('.')}",)
    return (pattern,)


_EXTENSIONS = {glob.removeprefix("*.") for globs in GROUPS.values() for glob in globs}
_WORDS = {_PLURAL.sub("", word) for group in (*GROUPS, SYSTEM_FILES) for word in group.split()} - _EXTENSIONS
"""The words of the groups, without those that are extensions: nobody's files end in them."""
