"""What is not a head of Ray is told at once."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from raystream.errors import ConfigurationError
from raystream.runtime.ray.probe import check_answers


@pytest.fixture
def web() -> Iterator[str]:
    """A web server, as Ray's dashboard is one."""

    class Quiet(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("tls", ["0", "1"])
def test_the_port_of_a_dashboard_is_told_in_a_moment(
    web: str, tls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_USE_TLS", tls)
    began = time.monotonic()
    with pytest.raises(ConfigurationError, match="address of a web server, such as Ray's dash"):
        check_answers(web)
    assert time.monotonic() - began < 5


def certificate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """Its own authority, named in Ray's variables."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names,
         "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    monkeypatch.setenv("RAY_USE_TLS", "1")
    monkeypatch.setenv("RAY_TLS_CA_CERT", str(cert))
    monkeypatch.setenv("RAY_TLS_SERVER_CERT", str(cert))
    monkeypatch.setenv("RAY_TLS_SERVER_KEY", str(key))
    return [(key.read_bytes(), cert.read_bytes())]


@pytest.mark.parametrize("tls", [False, True])
def test_a_wrong_token_is_told_in_one_line(
    tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    grpc = pytest.importorskip("grpc")

    class Refuses(grpc.GenericRpcHandler):
        def service(self, details: object) -> object:
            def refuse(request: bytes, context: object) -> None:
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")  # type: ignore[attr-defined]

            return grpc.unary_unary_rpc_method_handler(refuse)

    server = grpc.server(ThreadPoolExecutor(1), handlers=(Refuses(),))
    if tls:
        credentials = grpc.ssl_server_credentials(certificate(tmp_path, monkeypatch))
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with pytest.raises(ConfigurationError, match="token") as told:
            check_answers(f"127.0.0.1:{port}")
    finally:
        server.stop(None).wait()
    assert len(str(told.value).splitlines()) == 1
    check_answers("no.such.host.of.ray:1")  # left to whoever joins
