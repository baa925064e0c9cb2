"""Check whether brokers are reachable, and if not, why: address, port, TLS or password."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from raystream.connectors.kafka.clients import ClientError
from raystream.connectors.kafka.failures import KafkaFailure

if TYPE_CHECKING:
    from raystream.connectors.kafka.connection import Kafka
    from raystream.connectors.kafka.inspection import KafkaPythonInspection

TRY_S = 3.0
"""Maximum time of one connection attempt."""

HANDSHAKE_S = 1.0
"""Maximum time of a TLS handshake that only checks for TLS."""

ANSWER_S = 5.0
"""Maximum time for the brokers' first answer."""


def inspection(kafka: Kafka) -> KafkaPythonInspection:
    """Connect for inspection, or raise with the reason.

    Args:
        kafka: Address and security.

    Raises:
        KafkaFailure: there is no answer, or we are refused.
    """
    from raystream.connectors.kafka.inspection import KafkaPythonInspection

    settings = kafka.settings()
    reason = unreachable_reason(kafka)
    if reason is not None:
        raise KafkaFailure(settings.redact(reason[0]), settings.address(), reason[1])
    try:
        return KafkaPythonInspection(settings.for_kafka_python())
    except ClientError as error:
        what = settings.redact(f"the brokers do not answer: {error}")
        raise KafkaFailure(what, settings.address(), "see the logs of the brokers") from None


def unreachable_reason(kafka: Kafka) -> tuple[str, str] | None:
    """Why the brokers cannot be used, and what to do; None: they can be used.

    Args:
        kafka: Address and security.
    """
    from raystream.connectors.kafka.confluent import first_answer

    settings = kafka.settings()
    reasons = [_no_connection(address) for address in settings.address().split(",")]
    if all(reason is not None for reason in reasons):
        return reasons[0]
    protocol = settings.security.get("security_protocol", "PLAINTEXT")
    plain = "SSL" not in str(protocol)
    addresses = settings.address().split(",")

    def at_tls() -> bool:
        return plain and any(map(_speaks_tls, addresses))

    try:
        first_answer(settings.for_librdkafka(), ANSWER_S, at_tls)
    except ClientError as error:
        return _refusal(str(error), protocol, tls=at_tls())
    return None


def _speaks_tls(address: str) -> bool:
    """Whether a TLS handshake gets a certificate, or a refusal by TLS itself."""
    host, _, port = address.strip().rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout=HANDSHAKE_S) as plain,
            context.wrap_socket(plain),
        ):
            return True
    except ssl.SSLError as error:
        return "ALERT" in str(error.reason)
    except (OSError, ValueError):
        return False


def _no_connection(address: str) -> tuple[str, str] | None:
    host, _, port = address.strip().rpartition(":")
    if not host or not port.isdigit():
        return f"{address!r} is not host:port", "for example kafka:9092"
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=TRY_S).close()
    except socket.gaierror:
        return f"there is no host called {host!r}", "check the name; does DNS know it here?"
    except ConnectionRefusedError:
        return f"nothing listens on port {port} of {host}", "check the port; do the brokers run?"
    except TimeoutError:
        advice = "a firewall, or a network that is not reached from here?"
        return f"no answer from {address} within {TRY_S:g} s", advice
    except OSError as error:
        return f"{address} cannot be reached: {error.strerror or error}", "check the address"
    return None


def _refusal(text: str, protocol: str, *, tls: bool) -> tuple[str, str]:
    lowered = text.lower()
    if "certificate verify failed" in lowered or "broker certificate" in lowered:
        advice = "give the authority that signed it as ssl_ca_location"
        return "the certificate of the brokers is not trusted", advice
    if "authentication" in lowered:
        return "the brokers refuse the user or the password", "check sasl_username, sasl_password"
    if "plaintext broker" in lowered:
        plain = "SASL_PLAINTEXT" if protocol.startswith("SASL") else "PLAINTEXT (the default)"
        return f"TLS fails: the port speaks no TLS, but {protocol} was asked", (
            f"is security_protocol {protocol} right for this port? Without TLS it is {plain}"
        )
    if "ssl" in lowered and protocol in ("SSL", "SASL_SSL"):
        return f"TLS fails: {text}", f"is security_protocol {protocol} right for this port?"
    what = f"the port is open, but no broker answers as {protocol}"
    if tls:
        wanted = "SASL_SSL" if protocol.startswith("SASL") else "SSL (or SASL_SSL)"
        return f"{what}: it speaks TLS", f"write security_protocol {wanted}"
    what += f": {text}"
    return what, "is security_protocol right for this port?"
