"""Client settings: one security map for both client libraries, references to secrets, redaction."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from raystream.errors import ConfigurationError

BOOTSTRAP_VARIABLE = "RAYSTREAM_BOOTSTRAP_SERVERS"
"""Overrides the address of every rs.Kafka, if set: tests and the demo use it."""


@dataclass(frozen=True, slots=True)
class _Option:
    librdkafka: str
    kafka_python: str
    secret: bool = False


SECURITY: Mapping[str, _Option] = {
    "security_protocol": _Option("security.protocol", "security_protocol"),
    "sasl_mechanism": _Option("sasl.mechanism", "sasl_mechanism"),
    "sasl_username": _Option("sasl.username", "sasl_plain_username"),
    "sasl_password": _Option("sasl.password", "sasl_plain_password", secret=True),
    "sasl_kerberos_service_name": _Option(
        "sasl.kerberos.service.name", "sasl_kerberos_service_name"
    ),
    "ssl_ca_location": _Option("ssl.ca.location", "ssl_cafile"),
    "ssl_certificate_location": _Option("ssl.certificate.location", "ssl_certfile"),
    "ssl_key_location": _Option("ssl.key.location", "ssl_keyfile"),
    "ssl_key_password": _Option("ssl.key.password", "ssl_password", secret=True),
    "ssl_check_hostname": _Option("ssl.endpoint.identification.algorithm", "ssl_check_hostname"),
}
"""Option of rs.Kafka -> its name in each client library."""

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI")

_TRANSLATED = {
    "brokers": "bootstrap_servers",
    "broker": "bootstrap_servers",
    "servers": "bootstrap_servers",
    "hosts": "bootstrap_servers",
    "username": "sasl_username",
    "password": "sasl_password",
    "ssl_cafile": "ssl_ca_location",
    "ssl_certfile": "ssl_certificate_location",
    "ssl_keyfile": "ssl_key_location",
    "sasl_mechanisms": "sasl_mechanism",
    "sasl_plain_username": "sasl_username",
    "sasl_plain_password": "sasl_password",
    "offset": "starting_offsets",
    "offsets": "starting_offsets",
    "auto_offset_reset": "starting_offsets",
    "scan_startup_mode": "starting_offsets",
    "group": "group_id",
    "serializer": "format",
    "value_format": "format",
    "guarantee": "delivery_guarantee",
    "semantic": "delivery_guarantee",
    "grace": "watermark",
    "watermark_delay": "watermark",
}
_SECRET_WORDS = ("password", "secret", "token", "key.pem", "jaas", "credential", "oauthbearer.conf")


class Secret(str):
    """A secret whose repr does not show it: client libraries log their configuration.

    >>> {"sasl_plain_password": Secret("hunter2")}
    {'sasl_plain_password': '***'}
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def is_secret(name: str) -> bool:
    """True for options whose value must never be shown.

    >>> is_secret("sasl_password"), is_secret("ssl.ca.location")
    (True, False)
    """
    plain = name.lower().replace("_", ".")
    return any(word in plain for word in _SECRET_WORDS)


def is_reference(value: object) -> bool:
    """True for `env:NAME` and `file:/path`, which are resolved only when a client is made."""
    if isinstance(value, Secret):  # a secret may have this prefix, too
        return False
    return isinstance(value, str) and value.startswith(("env:", "file:"))


def shown(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options for printing: secrets hidden, references as written.

    >>> shown({"sasl_username": "app", "sasl_password": "hunter2"})
    {'sasl_username': 'app', 'sasl_password': '***'}
    >>> shown({"sasl_password": "env:KAFKA_PASSWORD"})
    {'sasl_password': 'env:KAFKA_PASSWORD'}
    """
    return {
        name: "***" if is_secret(name) and not is_reference(value) else value
        for name, value in options.items()
    }


def unknown_option(name: str, known: list[str], where: str) -> ConfigurationError:
    """The error for an option that does not exist, with the nearest that does."""
    near = _TRANSLATED.get(name) or next(iter(get_close_matches(name, known, 1, 0.5)), None)
    advice = f"did you mean {near!r}?" if near else f"known are {', '.join(sorted(known))}"
    return ConfigurationError(f"unknown option {name!r}", where, advice)


def resolve(name: str, value: Any) -> Any:
    """The value behind a reference.

    Args:
        name: Option, for the message.
        value: `env:NAME`, `file:/path`, or the value itself.

    Raises:
        ConfigurationError: the variable is not set, or the file cannot be read.
    """
    if not is_reference(value):
        return value
    kind, _, rest = value.partition(":")
    if kind == "env":
        if rest not in os.environ:
            what = f"{name}: environment variable {rest} is not set"
            raise ConfigurationError(what, "rs.Kafka", f"set {rest} where the job runs")
        return os.environ[rest]
    try:
        return Path(rest).read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        what = f"{name}: file {rest} cannot be read ({error.strerror})"
        raise ConfigurationError(what, "rs.Kafka") from None


def check_security(security: Mapping[str, Any]) -> None:
    """Refuse what cannot be mapped to both client libraries, before anything runs.

    Raises:
        ConfigurationError: unknown option, protocol or mechanism, or one half of a pair.
    """
    for name in security:
        if name not in SECURITY:
            known = ["bootstrap_servers", "consumer_config", "producer_config", *SECURITY]
            raise unknown_option(name, known, "rs.Kafka")
    protocol = security.get("security_protocol", "PLAINTEXT")
    mechanism = security.get("sasl_mechanism")
    if not is_reference(protocol):
        _one_of("security_protocol", protocol, PROTOCOLS)
    if mechanism is not None and not is_reference(mechanism):
        _one_of("sasl_mechanism", mechanism, MECHANISMS)
    if str(protocol).startswith("SASL") and mechanism is None:
        what = f"security_protocol {protocol} needs a sasl_mechanism"
        raise ConfigurationError(what, "rs.Kafka", f"one of {', '.join(MECHANISMS)}")
    if mechanism is not None and str(protocol) in ("PLAINTEXT", "SSL"):
        what = f"sasl_mechanism {mechanism} has no effect with security_protocol {protocol}"
        raise ConfigurationError(what, "rs.Kafka", "write security_protocol SASL_SSL")


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        what = f"{name} {value!r} is not supported by both Kafka clients"
        raise ConfigurationError(what, "rs.Kafka", f"one of {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Address and security of a cluster, as options of each client library.

    Args:
        bootstrap_servers: `host:port`, with commas.
        security: Options of SECURITY, perhaps as references.
    """

    bootstrap_servers: str
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def address(self) -> str:
        """Where the clients connect: $RAYSTREAM_BOOTSTRAP_SERVERS, else the configured address."""
        return os.environ.get(BOOTSTRAP_VARIABLE) or self.bootstrap_servers

    def for_librdkafka(self) -> dict[str, Any]:
        """Settings for confluent-kafka, with secrets in clear.

        Raises:
            ConfigurationError: a reference cannot be resolved.
        """
        return {"bootstrap.servers": self.address()} | {
            SECURITY[name].librdkafka: _for_librdkafka(name, value)
            for name, value in self._resolved().items()
        }

    def for_kafka_python(self) -> dict[str, Any]:
        """Settings for kafka-python; secrets do not show in a repr.

        Raises:
            ConfigurationError: a reference cannot be resolved.
        """
        return {"bootstrap_servers": self.address().split(",")} | {
            SECURITY[name].kafka_python: Secret(value) if SECURITY[name].secret else value
            for name, value in self._resolved().items()
        }

    def redact(self, text: str) -> str:
        """The text without any secret of these settings."""
        for name, value in self._resolved().items():
            if SECURITY[name].secret and value:
                text = text.replace(str(value), "***")
        return text

    def _resolved(self) -> dict[str, Any]:
        resolved = {name: resolve(name, value) for name, value in self.security.items()}
        check_security(resolved)
        return resolved


def from_librdkafka(client: Mapping[str, Any]) -> dict[str, Any]:
    """Settings for kafka-python from those for confluent-kafka; others are omitted.

    >>> from_librdkafka({"bootstrap.servers": "a:1,b:2", "sasl.username": "app", "linger.ms": 5})
    {'bootstrap_servers': ['a:1', 'b:2'], 'sasl_plain_username': 'app'}
    """
    found: dict[str, Any] = {"bootstrap_servers": str(client["bootstrap.servers"]).split(",")}
    for option in SECURITY.values():
        value = client.get(option.librdkafka)
        if value is not None:
            found[option.kafka_python] = Secret(value) if option.secret else value
    if "ssl_check_hostname" in found:
        found["ssl_check_hostname"] = found["ssl_check_hostname"] != "none"
    return found


def _for_librdkafka(name: str, value: Any) -> Any:
    if name == "ssl_check_hostname":
        return "https" if value else "none"
    return value


def pass_through(
    base: Mapping[str, Any], given: Mapping[str, Any], fixed: frozenset[str], where: str
) -> dict[str, Any]:
    """The base configuration with the user's own on top.

    Args:
        base: What raystream sets.
        given: `consumer_config` or `producer_config`.
        fixed: Settings that exactly-once depends on.
        where: For the message.

    Raises:
        ConfigurationError: a setting that is fixed, or that belongs to rs.Kafka.
    """
    owned = {option.librdkafka: name for name, option in SECURITY.items()}
    owned |= {"bootstrap.servers": "bootstrap_servers", "sasl.mechanisms": "sasl_mechanism"}
    for name in given:
        if name in owned:
            what = f"{name} must be given to both Kafka clients"
            raise ConfigurationError(what, where, f"write rs.Kafka(..., {owned[name]}=...)")
        if name in fixed:
            what = f"{name} is set by raystream: exactly-once depends on it"
            raise ConfigurationError(what, where, "remove it")
    return {**base, **given}
