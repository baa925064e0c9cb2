"""A real S3 service for tests: S3Proxy, which checks signatures and honours conditional puts.

It creates an object by link(2), so of many who put under `If-None-Match: *` at once one wins.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.broker.failure import BrokerError
from tests.support.broker.jars import cache_directory, fetched_jars, find_java
from tests.support.broker.ports import HOST, free_ports
from tests.support.broker.process import kill_after_me

S3PROXY_VERSION = "4.0.0"
_START_SECONDS = 60.0

# What speaks to the clouds of others is left out: 40 MiB instead of 99, and one set of Jackson.
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>raystream</groupId><artifactId>s3</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.gaul</groupId><artifactId>s3proxy</artifactId>
      <version>{version}</version>
      <exclusions>
        <exclusion><groupId>com.azure</groupId><artifactId>*</artifactId></exclusion>
        <exclusion><groupId>com.google.cloud</groupId><artifactId>*</artifactId></exclusion>
        <exclusion><groupId>com.github.openstack4j.core</groupId><artifactId>*</artifactId>
        </exclusion>
      </exclusions></dependency>
  </dependencies>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId>
    <version>3.6.1</version>
    <configuration><outputDirectory>{target}</outputDirectory>
      <includeScope>runtime</includeScope></configuration>
  </plugin></plugins></build>
</project>
"""
_LOGGING = """\
<configuration><appender name="out" class="ch.qos.logback.core.ConsoleAppender">
<encoder><pattern>%d %p %m%n</pattern></encoder></appender>
<root level="warn"><appender-ref ref="out"/></root></configuration>
"""


class S3Server:
    """The service on a port of this machine; a context manager that leaves nothing behind.

    Args:
        anonymous: It serves everybody and looks at no signature.

    Attributes:
        endpoint: Its URL.
    """

    def __init__(self, *, anonymous: bool = False) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="raystream-s3-"))
        self._anonymous = anonymous
        self._port = free_ports(1)[0]
        self.endpoint = f"http://{HOST}:{self._port}"
        (self._home / "data").mkdir()
        with (self._home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [find_java(), *_JVM, *self._configured()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._home,
                start_new_session=True,
            )
        self._watchdog = kill_after_me(self._process.pid, self._home)
        self._wait_ready()

    def __enter__(self) -> Self:
        """The service itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()

    def environment(self, *, key: str = "tester", secret: str = "not-so-secret") -> dict[str, str]:
        """The variables by which users name it, with good credentials if none are said.

        Args:
            key: Access key.
            secret: Its secret.
        """
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
        }

    def make_bucket(self, name: str) -> str:
        """Make an empty bucket; gives its URL."""
        (self._home / "data" / name).mkdir()
        return f"s3://{name}"

    def objects(self, bucket: str) -> Mapping[str, int]:
        """Names and sizes of what is in a bucket, seen from behind."""
        root = self._home / "data" / bucket
        return {str(p.relative_to(root)): p.stat().st_size for p in root.rglob("*") if p.is_file()}

    def stop(self) -> None:
        """End it and remove its data."""
        self._watchdog.kill()
        self._watchdog.communicate()
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    def _configured(self) -> list[str]:
        properties = {
            "s3proxy.endpoint": self.endpoint,
            "s3proxy.authorization": "none" if self._anonymous else "aws-v2-or-v4",
            "s3proxy.identity": "tester",
            "s3proxy.credential": "not-so-secret",
            "jclouds.provider": "filesystem",
            "jclouds.filesystem.basedir": self._home / "data",
        }
        (self._home / "s3.properties").write_text(
            "".join(f"{name}={value}\n" for name, value in properties.items())
        )
        (self._home / "logback.xml").write_text(_LOGGING)
        classes = ":".join(map(str, s3_jars()))
        main = ["-cp", classes, "org.gaul.s3proxy.Main", "--properties", "s3.properties"]
        return ["-Dlogback.configurationFile=logback.xml", *main]

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                socket.create_connection((HOST, self._port), timeout=1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = (self._home / "log").read_text()[-1000:]
                    self.stop()
                    message = f"the S3 service did not start:\n{said}"
                    raise BrokerError(message) from None
                time.sleep(0.05)


_JVM = ("-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def s3_jars() -> tuple[Path, ...]:
    """The jars of S3Proxy (about 40 MiB, fetched once).

    Raises:
        BrokerError: Maven is missing or the download failed.
    """
    home = cache_directory() / f"s3proxy-{S3PROXY_VERSION}"
    return fetched_jars(home, _POM.replace("{version}", S3PROXY_VERSION), "S3Proxy")
