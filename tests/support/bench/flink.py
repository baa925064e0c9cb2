"""The same job as a Flink DataStream program in Java, on the same broker: the yardstick."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.support.bench.lab import Lab, Ran
from tests.support.broker.jars import cache_directory, exclusive, fetched_jars, find_java

FLINK_VERSION = "2.2.1"
CONNECTOR_VERSION = "5.0.0-2.2"
SOURCES = Path(__file__).parents[1] / "flink"
PARALLELISM = 2

_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>raystream</groupId><artifactId>flink-bench</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.flink</groupId><artifactId>flink-streaming-java</artifactId>
      <version>{flink}</version></dependency>
    <dependency><groupId>org.apache.flink</groupId><artifactId>flink-clients</artifactId>
      <version>{flink}</version></dependency>
    <dependency><groupId>org.apache.flink</groupId><artifactId>flink-connector-base</artifactId>
      <version>{flink}</version></dependency>
    <dependency><groupId>org.apache.flink</groupId><artifactId>flink-json</artifactId>
      <version>{flink}</version></dependency>
    <dependency><groupId>org.apache.flink</groupId><artifactId>flink-connector-kafka</artifactId>
      <version>{connector}</version></dependency>
  </dependencies>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId>
    <version>3.6.1</version>
    <configuration><outputDirectory>{target}</outputDirectory>
      <includeScope>runtime</includeScope></configuration>
  </plugin></plugins></build>
</project>
"""

PROGRAMS = {"plain": "RequestsPerMinute", "tuned": "TunedRequestsPerMinute"}
_JVM = {
    "plain": (),
    "tuned": ("-XX:+UseParallelGC",),
}
_OPENED = (
    "java.base/java.lang",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.time",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/sun.nio.ch",
    "java.base/java.text",
)


def drained(lab: Lab, program: str, source: str, target: str, wanted: int) -> Ran:
    """Run one of `PROGRAMS` to the end of its input.

    Raises:
        BrokerError: Its jars cannot be fetched.
    """
    opened = [f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED]
    command = [find_java(), *_JVM[program], *opened, "-cp", class_path(), PROGRAMS[program]]
    storage = f"file://{lab.place('flink')}"
    arguments = [lab.broker.bootstrap, source, target, storage, str(PARALLELISM)]
    return lab.run([*command, *arguments], target, wanted)


@cache
def class_path() -> str:
    """Flink's jars and the compiled programs; fetched and compiled once."""
    home = cache_directory() / f"flink-{FLINK_VERSION}-{CONNECTOR_VERSION}"
    pom = _POM.replace("{flink}", FLINK_VERSION).replace("{connector}", CONNECTOR_VERSION)
    jars = ":".join(str(jar) for jar in fetched_jars(home, pom, "Flink"))
    files = sorted(SOURCES.glob("*.java"))
    text = b"".join(path.read_bytes() for path in files)
    classes = home / f"classes-{hashlib.sha256(text).hexdigest()[:12]}"
    with exclusive(home / "compile.lock"):
        if not classes.is_dir():
            with tempfile.TemporaryDirectory(dir=home) as scratch:
                made = Path(scratch, "classes")
                javac = str(Path(find_java()).resolve().with_name("javac"))
                command = [javac, "-nowarn", "-cp", jars, "-d", str(made), *map(str, files)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    message = f"the programs for Flink do not compile:\n{done.stderr}"
                    raise RuntimeError(message)
                made.rename(classes)
    return f"{classes}:{jars}"
