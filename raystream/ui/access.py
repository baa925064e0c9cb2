"""Who may open the page: whoever is on this machine, else whoever has the token."""

from __future__ import annotations

import hmac
import ipaddress
import secrets

COOKIE = "raystream-token"


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can only be reached from this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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


def same(given: str | None, token: str) -> bool:
    """Whether the given token is the right one, in constant time."""
    return given is not None and hmac.compare_digest(given.encode(), token.encode())
