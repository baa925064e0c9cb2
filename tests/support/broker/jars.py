"""Apache Kafka's jars: fetched once from Maven Central, kept in the user's cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.broker.failure import BrokerError

KAFKA_VERSION = "4.4.0"

# slf4j-simple must be 1.7.36: Kafka's slf4j-api is 1.7.36 and does not see a 2.x binding.
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>raystream</groupId><artifactId>kafka-broker</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version></dependency>
  </dependencies>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId>
    <version>3.6.1</version>
    <configuration><outputDirectory>{target}</outputDirectory>
      <includeScope>runtime</includeScope></configuration>
  </plugin></plugins></build>
</project>
"""


def cache_directory() -> Path:
    """Where downloads are kept: `$XDG_CACHE_HOME/raystream`, else `~/.cache/raystream`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "raystream"


def find_java() -> str:
    """The java of JAVA_HOME, else of PATH.

    Raises:
        BrokerError: There is none.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(Path(home, "bin", "java")) if home else shutil.which("java")
    if not found:
        message = "no java found"
        raise BrokerError(message, what_to_do="install Java 17 or newer, or set JAVA_HOME")
    return found


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds a lock file, so that parallel starts wait for each other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kafka_jars(version: str = KAFKA_VERSION) -> tuple[Path, ...]:
    """The jars of one Kafka version, sorted; downloads them (about 43 MiB) the first time.

    Raises:
        BrokerError: Maven is missing or the download failed.
    """
    pom = _POM.replace("{version}", version)
    return fetched_jars(cache_directory() / f"kafka-{version}", pom, "Kafka")


def fetched_jars(home: Path, pom: str, what: str) -> tuple[Path, ...]:
    """The jars that a Maven project depends on, sorted; downloads them the first time.

    Args:
        home: Where they are kept.
        pom: The project, with `{target}` where the jars go.
        what: Whose jars these are, for messages.

    Raises:
        BrokerError: Maven is missing or the download failed.
    """
    libs = home / "libs"
    if not libs.is_dir():
        with exclusive(home / "download.lock"):
            if not libs.is_dir():
                _download(pom, libs, what)
    return tuple(sorted(libs.glob("*.jar")))


def _download(pom: str, libs: Path, what: str) -> None:
    with tempfile.TemporaryDirectory(dir=libs.parent, prefix="download-") as scratch:
        target = Path(scratch, "libs").absolute()
        project = Path(scratch, "pom.xml")
        project.write_text(pom.replace("{target}", str(target)))
        _run_maven(project, what)
        target.rename(libs)  # a half download is never seen under the final name


def _run_maven(pom: Path, what: str) -> None:
    maven = shutil.which("mvn")
    if not maven:
        message = "no mvn found"
        raise BrokerError(message, what_to_do=f"install Maven; it fetches {what}'s jars")
    command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        output = (done.stdout + done.stderr)[-1000:]
        message = f"Maven could not fetch {what}'s jars; is Maven Central reachable?\n{output}"
        raise BrokerError(message)
