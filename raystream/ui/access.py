"""Who may open the page: whoever is on this machine, else whoever has the token."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can only be reached from this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


def named_here(host_header: str) -> bool:
    """Whether a request without a token was addressed to this machine by its own name.

    A page of somebody else could otherwise point a name of its own at 127.0.0.1 (DNS rebinding).

    >>> named_here("localhost:8000"), named_here("[::1]:80"), named_here("evil.example")
    (True, True, False)
    """
    name = host_header.rsplit(":", 1)[0] if not host_header.endswith("]") else host_header
    return is_loopback(name.strip("[]"))


def from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that the page of another site makes this request.

    Behind a proxy Host may be another one than the browser's, so Origin counts only where a
    browser does not tell what it found itself.

    >>> from_elsewhere({"Sec-Fetch-Site": "cross-site"}), from_elsewhere({})
    (True, False)
    >>> from_elsewhere({"Origin": "http://evil.example", "Host": "localhost:80"})
    True
    >>> from_elsewhere({"Origin": "http://localhost:80", "Host": "localhost:80"})
    False
    """
    told = headers.get("Sec-Fetch-Site")
    if told is not None:
        return told not in {"same-origin", "none"}
    origin = headers.get("Origin")
    return origin is not None and _place(origin) != headers.get("Host", "").lower()


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def same(given: str | None, token: str) -> bool:
    """Whether the given token is the right one, in constant time.

    >>> same("secret", "secret"), same("secret ", "secret"), same(None, "secret")
    (True, False, False)
    """
    return given is not None and hmac.compare_digest(_bytes(given), _bytes(token))


def cookie(token: str) -> tuple[str, str]:
    """Name and value of the cookie of those who have the token.

    It does not hold the token. Cookies of a host are those of all its ports, so each page has a
    name of its own: two of them would log one another out.

    >>> cookie("a")[0] == cookie("b")[0], cookie("a") == cookie("a")
    (False, True)
    """
    name = hmac.digest(_bytes(token), b"raystream page: name", "sha256").hex()[:12]
    return f"raystream-{name}", hmac.digest(_bytes(token), b"raystream page: value", "sha256").hex()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
