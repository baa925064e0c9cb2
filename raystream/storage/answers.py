"""Explain the answer of a bucket's service in one line without secrets, with advice."""

from __future__ import annotations

import re

from raystream.errors import StorageError

_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3}[A-Za-z ]*)")
_LONGEST = 200
_METADATA = ("169.254.169.254", "metadata.google.internal", "169.254.170.2")
_WRONG_KEY = ("SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken", "InvalidToken")

_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (GOOGLE_..., AZURE_...)"
_ALLOW = "allow get, put, list and delete for these credentials"
_CONDITIONAL = "use a service with conditional puts (If-None-Match: *)"


def explain(error: Exception, where: str) -> StorageError:
    """Convert an error of obstore to one of ours.

    Args:
        error: What obstore raised.
        where: Address of the object.

    >>> text = "Error performing GET http://127.0.0.1:9/b/k in 9 s: error sending request"
    >>> print(explain(OSError(text), "s3://b/k"))
    s3://b/k: no answer from http://127.0.0.1:9; check AWS_ENDPOINT_URL and the network
    """
    text = str(error) or type(error).__name__
    what, advice = _known(text, type(error).__name__)
    return StorageError(what, where, advice)


def refused_for_sure(error: Exception) -> bool:
    """Whether the service said that it has not executed a request, and never will.

    >>> refused_for_sure(OSError("non-2xx status code: 501 Not Implemented: no"))
    True
    >>> refused_for_sure(OSError("non-2xx status code: 503 Slow Down"))
    False
    """
    return _status(str(error))[:3] in {"400", "405", "501"}


def in_conflict(error: Exception) -> bool:
    """Whether a put lost against a concurrent request: the result is undecided.

    S3 then answers 409 ConditionalRequestConflict. Azure answers 409 if the object exists.

    >>> text = "status code: 409 Conflict: <Error><Code>ConditionalRequestConflict</Code></Error>"
    >>> in_conflict(OSError(text)), in_conflict(OSError("status code: 412 Precondition Failed"))
    (True, False)
    """
    found = _CODE.search(str(error))
    exists = found is not None and found[1] == "BlobAlreadyExists"
    return _status(str(error)).startswith("409") and not exists


def _known(text: str, kind: str) -> tuple[str, str]:
    found = _CODE.search(text)
    code, status = found[1] if found else "", _status(text)
    answer = " ".join(part for part in (status, code) if part)
    if any(host in text for host in _METADATA):
        return "no credentials were found", f"set {_KEYS}, or run where the machine has a role"
    if code in _WRONG_KEY or kind == "UnauthenticatedError":
        return f"the service refuses the credentials ({answer})", f"check {_KEYS}"
    if code == "NoSuchBucket":
        return "there is no such bucket", "create it, or correct the address"
    if kind == "PermissionDeniedError":
        return f"not allowed ({answer})" if answer else _first_line(text), _ALLOW
    if kind in {"NotSupportedError", "NotImplementedError"} or status.startswith("501"):
        return "the service is asked for no conditional put, or has none", _CONDITIONAL
    if "builder error" in text:
        return "the endpoint is plain http", "set AWS_ALLOW_HTTP=true, or use https"
    if "error sending request" in text:
        return f"no answer from {_endpoint(text)}", "check AWS_ENDPOINT_URL and the network"
    return _first_line(text), "create the bucket first" if kind == "FileNotFoundError" else ""


def _status(text: str) -> str:
    found = _STATUS.search(text)
    return found[1].strip() if found else ""


def _endpoint(text: str) -> str:
    found = re.search(r"https?://[^/\s]+", text)
    return found[0].rpartition("@")[2] if found else "the service"


def _first_line(text: str) -> str:
    """Drop the document that the service sent: it may quote what was signed."""
    line = text.strip().splitlines()[0].partition("<?xml")[0].partition("<Error>")[0].rstrip(": ")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} .."
