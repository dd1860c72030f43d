"""A folder of an SSH server as source and destination.

Nothing outside the folder is read or written: each path is resolved by the server first. The protocol has no way to
open a file without following links, so whoever may write to the server can swap a link in between; the rights of the
login are the last limit.
"""

from __future__ import annotations

import errno
import hashlib
import os
import posixpath
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast

from docfleet.connectors.base import (
    ConnectorInfo,
    ConnectorMode,
    FileState,
    ForkGuard,
    Ignore,
    OnSkip,
    SourceEntry,
    WriteFence,
    optional_library,
)
from docfleet.connectors.filesystems.content import CHUNK_BYTES, read_chunk
from docfleet.connectors.filesystems.sftp.login import Login, LoginRefused, host_key_fingerprints
from docfleet.connectors.filesystems.temporaries import (
    ABANDONED_SECONDS,
    is_temporary,
    temporaries_until,
    temporary_name,
)
from docfleet.connectors.paths import encode_name, file_parts, path_parts
from docfleet.connectors.settings import stored_settings
from docfleet.core.errors import (
    ConfigurationError,
    DestinationRejected,
    DestinationUnavailable,
    Fenced,
    FileError,
    FileMissing,
    SourceNotFound,
    SourceUnavailable,
    SourceUnreadable,
    UnsafePath,
)

if TYPE_CHECKING:
    from docfleet.connectors.filesystems.sftp.session import Session
    from docfleet.connectors.filesystems.sftp.tree import Attributes, Tree


class SftpFileSystem(ForkGuard):
    """Connects at the first use. It gives no ``provider_file_uuid``: the protocol has no identity of a content."""

    info: ClassVar[ConnectorInfo] = ConnectorInfo(
        connector_id="sftp|e68fa828-2988-4cce-9e3d-4285348e3227",
        name="SFTP",
        description="A folder of an SSH server",
        mode=ConnectorMode.FILESYSTEM,
        can_read=True,
        can_write=True,
        json_schema={
            "title": "SFTP",
            "type": "object",
            "required": ["host", "username", "user_dir"],
            "properties": {
                "connectorName": {"type": "string", "title": "Name of the connector"},
                "host": {"type": "string", "title": "Host"},
                "port": {"type": "integer", "title": "Port", "default": 22, "minimum": 1, "maximum": 65535},
                "username": {"type": "string", "title": "User"},
                "password": {"type": "string", "title": "Password", "format": "password"},
                "private_key": {
                    "type": "string",
                    "title": "Private key",
                    "description": "In the form of OpenSSH or PEM; instead of a password or beside it",
                    "format": "password",
                },
                "private_key_passphrase": {
                    "type": "string",
                    "title": "Passphrase of the private key",
                    "format": "password",
                },
                "host_key": {
                    "type": "string",
                    "title": "Host key",
                    "description": "What identifies the server: a fingerprint (SHA256:...), a public key or a line of "
                    "known_hosts; one a line. Without it every server is refused, with its fingerprint",
                },
                "user_dir": {
                    "type": "string",
                    "title": "Folder",
                    "description": "Absolute, or relative to the folder in which a login of this user begins",
                },
            },
            "additionalProperties": False,
        },
        secrets=("password", "private_key", "private_key_passphrase"),
        tested="OpenSSH 9.2",
        extra="sftp",
        libraries=("asyncssh",),
    )

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__("sftp")
        values = stored_settings(self.info, settings)
        if not values.get("password") and not values.get("private_key"):
            raise ConfigurationError("connector sftp: set the field 'password' or 'private_key'")
        if "\0" in values["user_dir"]:
            raise ConfigurationError("connector sftp: field 'user_dir' contains a NUL character")
        self._login = Login(
            host=values["host"].strip(),
            port=values["port"],
            username=values["username"],
            password=values.get("password"),
            private_key=values.get("private_key"),
            passphrase=values.get("private_key_passphrase"),
            host_keys=host_key_fingerprints(values.get("host_key", "")),
        )
        self._folder = posixpath.normpath(values["user_dir"].strip())
        absolute = self._folder if self._folder.startswith("/") else f"/~/{self._folder}"
        self._base = f"sftp://{self._login.address}{absolute.rstrip('/')}/"
        self._session: Session | None = None
        self._made: Tree | None = None
        self._swept: set[bytes] = set()

    def check(self, *, write: bool = False) -> None:
        """See ``FileSystemConnector``. A folder to write to need not exist yet, if the one above it does."""
        self._guard()
        if not write:
            self._source("")
            return
        with self._writing(self._folder):
            tree = self._tree
            tree.make_root()
            probe = _below(tree.root, temporary_name("", None))
            tree.create(probe).close()
            tree.remove(probe)

    def list_files(
        self,
        folder: str = "",
        *,
        recursive: bool,
        max_depth: int | None = None,
        on_skip: OnSkip | None = None,
        ignore: Ignore | None = None,
    ) -> Iterator[SourceEntry]:
        """See ``FileSystemConnector``. Files of one folder come sorted by name, before those of its subfolders."""
        self._guard()
        real = self._source(folder)
        from docfleet.connectors.filesystems.sftp.walk import TreeWalk

        walk = TreeWalk(self._tree, max_depth if recursive else 1, recursive, on_skip, ignore)
        return walk.files(real, encode_name("/".join(path_parts(folder.lstrip("/")))))

    def open(self, path: str) -> BinaryIO:
        """See ``FileSystemConnector``. Reading it raises ``FileChanging`` when the file changed meanwhile, and
        ``SourceUnavailable`` when the server is gone."""
        self._guard()
        parts = path_parts(path)
        with self._reading(path):
            real, attributes = self._inside(parts, path)
            if not stat.S_ISREG(attributes.mode):
                raise FileError(f"{self._shown(path)} cannot be read: it is not a regular file")
            return cast("BinaryIO", self._tree.open(real, self._shown(path)))

    def state(self, path: str) -> FileState:
        """See ``FileSystemConnector``. Nobody knows whether a process of the server has the file open."""
        self._guard()
        parts = path_parts(path)
        with self._reading(path):
            attributes = self._inside(parts, path)[1]
        return FileState(attributes.size, attributes.modified_at)

    def write_file(self, path: str, source: BinaryIO, fence: WriteFence | None = None) -> str:
        """See ``FileSystemConnector``. Missing folders are created; returns ``sftp://HOST:PORT/FOLDER/PATH``."""
        self._guard()
        parts = file_parts(path)
        with self._writing(path):
            self._tree.make_root()
            folder = self._descend(parts[:-1], path, create=True)
            if folder not in self._swept:
                self._swept.add(folder)
                self._remove_abandoned(folder)
            self._replace(folder, parts[-1], source, fence)
        return self._base + encode_name("/".join(parts))

    def withdraw_file(self, path: str, digest: str, fence: WriteFence) -> bool:
        """See ``FileSystemConnector``."""
        self._guard()
        parts = path_parts(path)
        fence.require()
        with self._writing(path):
            try:
                folder = self._descend(parts[:-1], path, create=False)
                self._remove_temporaries(folder, parts[-1], fence)
                target = _below(folder, parts[-1])
                if self._digest(target) != digest:
                    return False
                self._tree.remove(target)
            except FileNotFoundError:
                return False
        return True

    def path_of(self, location: str) -> str:
        """See ``FileSystemConnector``."""
        self._guard()
        if not location.startswith(self._base):
            raise FileMissing(f"{location} is not in {self._base}: the destination's settings were changed since")
        return location[len(self._base) :]

    def close(self) -> None:
        """See ``FileSystemConnector``."""
        self._guard()
        if self._session is not None:
            self._session.close()

    @property
    def _tree(self) -> Tree:
        if self._made is None:
            with optional_library(self.info):
                from docfleet.connectors.filesystems.sftp.session import Session
                from docfleet.connectors.filesystems.sftp.tree import Tree
            self._session = Session(self._login)
            self._made = Tree(self._session, self._folder, self._login.address)
        return self._made

    def _shown(self, path: str) -> str:
        return f"{path} in {self._base}"

    def _source(self, folder: str) -> bytes:
        """The resolved path of a readable folder of this source."""
        parts = path_parts(folder.lstrip("/"))
        shown = self._base + encode_name("/".join(parts))
        try:
            real, attributes = self._inside(parts, folder)
            if not stat.S_ISDIR(attributes.mode):
                raise SourceUnreadable(f"source {shown} is not a folder: name the folder that holds the files")
            next(self._tree.names(real), None)
        except FileNotFoundError as error:
            raise SourceNotFound(f"source folder {shown} does not exist: create it or correct the path") from error
        except (LoginRefused, ConnectionError) as error:
            raise SourceUnreadable(f"source folder {shown} cannot be read: {error}") from error
        except OSError as error:
            raise SourceUnreadable(
                f"source folder {shown} cannot be read: {error.strerror}; correct the folder or its rights"
            ) from error
        return real

    def _inside(self, parts: tuple[str, ...], path: str) -> tuple[bytes, Attributes]:
        """The resolved path and the attributes; raises ``UnsafePath`` when a link leads out of the root."""
        tree = self._tree
        real = tree.real(_below(tree.root, *parts))
        if not tree.holds(real):
            raise UnsafePath(f"path {path!r} leaves the folder {self._base} through a link: remove the link")
        return real, tree.attributes(real)

    def _descend(self, folders: tuple[str, ...], path: str, *, create: bool) -> bytes:
        real = self._tree.root
        for number, folder in enumerate(folders, start=1):
            try:
                real, attributes = self._inside(folders[:number], path)
            except FileNotFoundError:
                if not create:
                    raise
                self._tree.mkdir(_below(real, folder))
                real, attributes = self._inside(folders[:number], path)
            if not stat.S_ISDIR(attributes.mode):
                raise DestinationRejected(
                    f"{self._shown(path)} cannot be written: a file stands where a folder is needed"
                )
        return real

    def _replace(self, folder: bytes, name: str, source: BinaryIO, fence: WriteFence | None) -> None:
        """Copy ``source`` to a temporary file and rename it; readers see the old file or the complete new one."""
        tree = self._tree
        temporary, target = _below(folder, temporary_name(name, fence)), _below(folder, name)
        if fence is not None:
            self._remove_temporaries(folder, name, fence)
        upload = tree.create(temporary)
        digest = hashlib.sha256()
        try:
            while chunk := read_chunk(source):
                digest.update(chunk)
                upload.write(chunk)
            upload.finish()
            if fence is not None:
                fence.require()
            self._give_name(temporary, target, digest.hexdigest(), fence)
        except BaseException:
            with suppress(OSError, LoginRefused):
                tree.remove(temporary)
            raise

    def _give_name(self, temporary: bytes, target: bytes, digest: str, fence: WriteFence | None) -> None:
        tree = self._tree
        shown = tree.show(target)
        try:
            tree.rename(temporary, target)
        except FileNotFoundError as error:
            if fence is None:
                raise
            raise Fenced(f"a later attempt than {fence.attempt} has taken over the delivery of {shown}") from error
        except ConnectionError:
            raise
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise DestinationRejected(
                    f"{shown} cannot be written: a folder may stand there, or the folder's rights forbid it "
                    f"({error.strerror})"
                ) from error
            self._create(temporary, target, digest)

    def _create(self, temporary: bytes, target: bytes, digest: str) -> None:
        """Without ``posix-rename`` a file is created, but none is replaced: there would be a moment without a file."""
        tree = self._tree
        try:
            tree.rename_new(temporary, target)
        except ConnectionError:
            raise
        except OSError as error:
            if self._digest(target) != digest:
                raise DestinationRejected(
                    f"{tree.show(target)} is there already with another content, and the server cannot replace a file "
                    "in one step (it has no posix-rename@openssh.com): remove the file, or deliver to another folder"
                ) from error
            tree.remove(temporary)

    def _remove_temporaries(self, folder: bytes, name: str, fence: WriteFence) -> None:
        for temporary in temporaries_until(name, fence):
            with suppress(FileNotFoundError):
                self._tree.remove(_below(folder, temporary))

    def _remove_abandoned(self, folder: bytes) -> None:
        old = time.time() - ABANDONED_SECONDS
        for name, attributes in list(self._tree.names(folder)):
            if is_temporary(os.fsdecode(name)) and attributes.modified_at < old:
                with suppress(FileNotFoundError):
                    self._tree.remove(folder.rstrip(b"/") + b"/" + name)

    def _digest(self, target: bytes) -> str:
        if not stat.S_ISREG(self._tree.attributes(target, follow=False).mode):
            return ""
        with self._tree.open(target, self._tree.show(target)) as file:
            digest = hashlib.sha256()
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
            return digest.hexdigest()

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise FileMissing(
                f"file {self._shown(path)} is no longer there: it was moved or deleted; send it again"
            ) from error
        except ConnectionError as error:
            raise SourceUnavailable(f"file {self._shown(path)} cannot be read: {error}") from error
        except LoginRefused as error:
            raise FileError(f"file {self._shown(path)} cannot be read: {error}") from error
        except OSError as error:
            raise FileError(f"file {self._shown(path)} cannot be read: {error.strerror}") from error

    @contextmanager
    def _writing(self, path: str) -> Iterator[None]:
        message = f"{self._shown(path)} cannot be written"
        try:
            yield
        except LoginRefused as error:
            raise DestinationRejected(f"{message}: {error}") from error
        except (ConnectionError, SourceUnavailable) as error:
            raise DestinationUnavailable(f"{message}: {error}; run again") from error
        except PermissionError as error:
            raise DestinationRejected(f"{message}: permission denied; check the folder and its rights") from error
        except OSError as error:
            # The protocol has one status for a full disk and all the rest.
            raise DestinationUnavailable(
                f"{message}: {error.strerror}; free space on the server, check the folder, then run again"
            ) from error


def _below(folder: bytes, *names: str) -> bytes:
    return b"/".join((folder.rstrip(b"/"), *(os.fsencode(name) for name in names))) or b"/"
