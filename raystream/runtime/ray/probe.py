"""Probe an address within milliseconds: Ray itself tries for 20 s and more.

Ray's C++ code prints a line each second meanwhile, 20 for a wrong token, and then hardly says why.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

from raystream.errors import ConfigurationError
from raystream.runtime.ray import internals

_SECONDS = 3.0
_TLS = ("RAY_TLS_CA_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_SERVER_CERT")
"""Ray's own variables: certificate authority, our key, our certificate."""
_HTTP = b"HTTP/"
_METHOD = "/ray.rpc.NodeInfoGcsService/GetClusterId"
_TOKEN = "put the token of the cluster into ~/.ray/auth_token or RAY_AUTH_TOKEN"  # noqa: S105


def check_answers(address: str) -> None:
    """Refuse an address that is not a Ray head, and a token that the head does not accept.

    What cannot be determined (a token, where gRPC is not installed) is left to Ray.

    Args:
        address: `HOST:PORT` of a head.

    Raises:
        ConfigurationError: a web server answers there, or the token is wrong or missing.
    """
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()):
        return
    if _speaks_http(host, int(port)):
        what = f"{address} is the address of a web server, such as Ray's dashboard, not of a head"
        raise ConfigurationError(what, what_to_do="give that of the head, HOST:6379 as a rule")
    if _refuses(address, _headers()):
        has = "does not take the token that is set here" if _headers() else "asks for a token"
        what = f"the Ray cluster at {address} {has}"
        raise ConfigurationError(what, what_to_do=_TOKEN)


def _speaks_http(host: str, port: int) -> bool:
    """A head speaks gRPC: it answers an HTTP/1 request with HTTP/2 frames, or not at all."""
    try:
        with socket.create_connection((host, port), timeout=_SECONDS) as link:
            link.settimeout(0.5)
            link.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return link.recv(len(_HTTP)) == _HTTP
    except OSError:
        return False


def asks_for_token(address: str) -> bool | None:
    """Whether the head refuses calls without a token; None: it cannot be determined.

    Args:
        address: `HOST:PORT` of a head.
    """
    host, _, port = address.rpartition(":")
    return _refuses(address, []) if host and port.isdigit() else None


def _refuses(address: str, headers: Sequence[tuple[str, str]]) -> bool | None:
    """Whether the head refuses a call with these headers; None: it did not answer."""
    try:
        import grpc  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return None
    options = (("grpc.enable_http_proxy", 0),)
    if os.environ.get("RAY_USE_TLS", "0") == "1":
        try:
            credentials = grpc.ssl_channel_credentials(*map(_pem, _TLS))
        except OSError:  # Ray reports a missing file
            return None
        made = grpc.secure_channel(address, credentials, options=options)
    else:
        made = grpc.insecure_channel(address, options=options)
    with made as channel:
        try:
            channel.unary_unary(_METHOD)(b"", timeout=_SECONDS, metadata=headers)
        except grpc.RpcError as error:
            return True if error.code() is grpc.StatusCode.UNAUTHENTICATED else None
    return False


def _pem(variable: str) -> bytes | None:
    path = os.environ.get(variable)
    return Path(path).read_bytes() if path else None


def _headers() -> list[tuple[str, str]]:
    """The headers that Ray itself would send."""
    headers = internals.token_headers()
    return [(name.lower(), str(value)) for name, value in headers.items()]
