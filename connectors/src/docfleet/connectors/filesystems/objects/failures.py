"""What an error of ``obstore`` means: cause and remedy, never the server's own text.

The text of the library quotes the answer, and the answer quotes the request: key ids, signed strings, tokens. Only the
code and the HTTP status are read out of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from docfleet.core.errors import (
    DestinationRejected,
    DestinationUnavailable,
    DocfleetError,
    FileChanging,
    FileError,
    FileMissing,
    SourceNotFound,
    SourceUnavailable,
    SourceUnreadable,
)

_CODE = re.compile(r"<Code>([A-Za-z]{3,60})</Code>|\"(?:code|reason|error)\": ?\"([A-Za-z_]{3,60})\"")
_STATUS = re.compile(r"status code: (\d{3})")
_ILLEGAL_KEY = re.compile(r"[Pp]ath \"(.*?)\"[ :]", re.DOTALL)

NO_BUCKET = "there is no such bucket; correct its name, the region or the endpoint"
_CREDENTIALS = "the credentials are refused; correct the key and the secret"
_EXPIRED = "the session token has expired or is not valid; renew it"
_CLOCK = "the clock of this machine differs too much from the server's; set it by NTP"
DENIED = "the permission is missing; grant it to these credentials"
_REGION = "the bucket is in another region; correct the region and the endpoint"
_TOO_LONG = "the store does not take the name; shorten it"
_BUSY = "the store does not answer; check the endpoint, the network and its state, then run again"
_UNKNOWN = "the store refuses the request; check bucket, endpoint and credentials"

_BY_CODE = {
    "NoSuchBucket": NO_BUCKET,
    "InvalidBucketName": NO_BUCKET,
    "ContainerNotFound": NO_BUCKET,
    "InvalidResourceName": NO_BUCKET,
    "InvalidAccessKeyId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "AuthFailure": _CREDENTIALS,
    "AuthenticationFailed": _CREDENTIALS,
    "AuthenticationRequired": _CREDENTIALS,
    "InvalidAuthenticationInfo": _CREDENTIALS,
    "invalid_grant": _CREDENTIALS,
    "ExpiredToken": _EXPIRED,
    "InvalidToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "AccessDenied": DENIED,
    "AuthorizationFailure": DENIED,
    "AuthorizationPermissionMismatch": DENIED,
    "PermanentRedirect": _REGION,
    "TemporaryRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "KeyTooLongError": _TOO_LONG,
}
_BY_STATUS = {301: _REGION, 307: _REGION, 400: _UNKNOWN, 401: _CREDENTIALS, 403: DENIED, 408: _BUSY, 429: _BUSY}


class StoreFault(NamedTuple):
    """``reason`` is cause and remedy; ``is_lasting`` when a repeat cannot help."""

    reason: str
    is_lasting: bool


def fault_of(error: BaseException) -> StoreFault:
    """The meaning of an error of the library."""
    text = str(error)
    code = _CODE.search(text)
    reason = _BY_CODE.get((code[1] or code[2]) if code else "")
    status = _STATUS.search(text)
    if reason is None and status:
        reason = _BY_STATUS.get(int(status[1]), _BUSY if status[1] >= "500" else _UNKNOWN)
    if reason is None and "incorrectly configured region" in text:  # a redirect without a place to go to
        reason = _REGION
    if reason is None and status is None:
        is_connection = "error sending request" in text or "HTTP error" in text or "imed out" in text.lower()
        reason = _BUSY if is_connection else _UNKNOWN
    reason = reason or _UNKNOWN
    return StoreFault(reason, reason is not _BUSY)


def illegal_key(error: BaseException) -> str | None:
    """The key that the library cannot name (``//``, ``..``, a control character), if that is the error."""
    text = str(error)
    if "invalid path" not in text and "Could not parse path" not in text:
        return None
    key = _ILLEGAL_KEY.search(text)
    return key[1] if key else "?"


def listing_failure(shown: str, error: BaseException) -> DocfleetError:
    """For a listing of ``shown``: ``SourceNotFound``, ``SourceUnreadable``."""
    if (key := illegal_key(error)) is not None:
        return SourceUnreadable(
            f"{shown} cannot be listed: the key {key!r} holds an empty name, '.', '..' or a control character, "
            "which is no path; rename the object, or name a folder without it"
        )
    fault = fault_of(error)
    kind = SourceNotFound if fault.reason is NO_BUCKET else SourceUnreadable
    return kind(f"{shown} cannot be listed: {fault.reason}")


def reading_failure(shown: str, error: BaseException) -> DocfleetError:
    """For one object: ``FileMissing``, ``FileChanging``, ``FileError``, or ``SourceUnavailable`` (retryable)."""
    if type(error).__name__ == "PreconditionError":
        return FileChanging(f"{shown} was replaced while it was being read: run again")
    fault = fault_of(error)
    if isinstance(error, FileNotFoundError) and fault.reason is not NO_BUCKET:
        return FileMissing(f"{shown} is no longer there: it was moved or deleted; send it again")
    if fault.reason is NO_BUCKET:
        return SourceNotFound(f"{shown} cannot be read: {fault.reason}")
    kind = FileError if fault.is_lasting else SourceUnavailable
    return kind(f"{shown} cannot be read: {fault.reason}")


def writing_failure(shown: str, error: BaseException) -> DocfleetError:
    """For one object: ``DestinationRejected`` or ``DestinationUnavailable`` (retryable)."""
    fault = fault_of(error)
    if isinstance(error, FileNotFoundError):
        fault = StoreFault(NO_BUCKET, is_lasting=True)
    kind = DestinationRejected if fault.is_lasting else DestinationUnavailable
    return kind(f"{shown} cannot be written: {fault.reason}")
