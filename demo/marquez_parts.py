"""What Marquez needs before it can start: Java, its jars from Maven Central, a configuration."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from demo.errors import DemoError
from demo.ports import LOOPBACK
from demo.words import from_here

VERSION = "0.51.1"
JAR = f"marquez-api-{VERSION}.jar"
MAIN_CLASS = "marquez.MarquezApp"
OLDEST_JAVA = 17
DOWNLOAD_SECONDS = 900.0
# Marquez goes on with a query when its client has gone, and some of them never end.
LONGEST_QUERY_MS = 120_000
# Named with its version, so that each machine takes the same one.
COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"

POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId>
  <artifactId>marquez-jars</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>io.github.marquezproject</groupId>
      <artifactId>marquez-api</artifactId>
      <version>{VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


def java() -> str:
    """The program ``java``: that of ``JAVA_HOME`` if it is set, else that of the PATH.

    :raises DemoError: when there is none, or one older than 17.
    """
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    action = f"install Java {OLDEST_JAVA} (Debian: apt install openjdk-17-jre-headless)"
    if program is None:
        raise DemoError("Marquez needs Java", found="no program java", action=action)
    done = subprocess.run(
        [program, "-version"], capture_output=True, text=True, check=False, timeout=60
    )
    release = major_release(done.stderr)
    if release < OLDEST_JAVA:
        raise DemoError(
            f"Marquez needs Java {OLDEST_JAVA} or newer",
            found=f"{program}: {done.stderr.partition(chr(10))[0].strip() or 'no version'}",
            action=f"{action}, or set JAVA_HOME to it",
        )
    return program


def major_release(text: str) -> int:
    """The release of Java that ``java -version`` prints: 17 of ``"17.0.2"``, 8 of ``"1.8.0"``."""
    found = re.search(r'version "(\d+)(?:\.(\d+))?', text)
    if found is None:
        return 0
    first, second = found.group(1), found.group(2)
    return int(second) if first == "1" and second else int(first)


def have_jars(library: Path) -> bool:
    """Whether the jars of this version are there; a library is whole, or has another name."""
    return (library / JAR).is_file()


def maven() -> str:
    """The program ``mvn``.

    :raises DemoError: when there is none.
    """
    program = shutil.which("mvn")
    if program is None:
        raise DemoError(
            "Maven is needed once, to download Marquez",
            found="no program mvn",
            action="install it (Debian: apt install maven)",
        )
    return program


def fetch_jars(library: Path, say: Callable[[str], None]) -> None:
    """Download Marquez and all that it needs into a folder, unless they are there.

    Two at once wait for each other. A download that breaks off leaves no library.

    :raises DemoError: when Maven is missing or fails.
    """
    library.parent.mkdir(parents=True, exist_ok=True)
    with locked(library.with_name(f"{library.name}.lock")):
        if have_jars(library):
            return
        program = maven()
        say(f"Downloading Marquez {VERSION} from Maven Central, once")
        unfinished = library.with_name(f"{library.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            _copy_dependencies(program, unfinished)
            shutil.rmtree(library, ignore_errors=True)
            unfinished.rename(library)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _copy_dependencies(program: str, target: Path) -> None:
    pom = target / "pom.xml"
    pom.write_text(POM)
    log = target.with_name("maven.log")
    command = [
        # Maven would remember what it did not find, and not look again for a day.
        program, "--update-snapshots", "--batch-mode", "--strict-checksums",
        "--file", str(pom), COPY_GOAL, "-DincludeScope=runtime", f"-DoutputDirectory={target}",
    ]  # fmt: skip
    with log.open("wb") as file:
        try:
            code = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=DOWNLOAD_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
    if code != 0 or not have_jars(target):
        faults = [line for line in log.read_text(errors="replace").splitlines() if "ERROR" in line]
        raise DemoError(
            f"Maven could not download Marquez {VERSION}",
            found=_missing(faults) or (faults[0] if faults else f"exit code {code}")[:300],
            action=f"look into {from_here(log)}; or put {JAR}, built from its source, and the jars "
            f"that it needs into {from_here(target.with_suffix(''))}; or start the image "
            f"marquezproject/marquez:{VERSION}, as compose.yaml does, and name it: "
            "MLOPS_DEMO_MARQUEZ=http://127.0.0.1:5000",
        )


def _missing(faults: list[str]) -> str | None:
    """What could not be found, out of Maven's long line."""
    found = re.search(r"Could not (?:find|transfer) artifact \S+", " ".join(faults))
    return found.group() if found else None


def write_configuration(file: Path, *, database_url: str, port: int, admin_port: int) -> None:
    """Write the configuration of Marquez, which only its owner may read: it holds a password.

    The section ``dbRetention`` is left out: its defaults delete what is older than seven days.

    :param database_url: ``postgresql://user:password@host:port/database``.
    """
    parts = urlsplit(database_url)
    content = {
        "server": {
            "applicationConnectors": [
                {
                    "type": "http",
                    "bindHost": LOOPBACK,
                    "port": port,
                    # As in Marquez's own configuration: names in paths hold encoded slashes.
                    "httpCompliance": "RFC7230_LEGACY",
                }
            ],
            "adminConnectors": [{"type": "http", "bindHost": LOOPBACK, "port": admin_port}],
            "requestLog": {"appenders": []},
        },
        "db": {
            "driverClass": "org.postgresql.Driver",
            "url": f"jdbc:postgresql://{parts.hostname}:{parts.port}{parts.path}"
            f"?options=-c%20statement_timeout={LONGEST_QUERY_MS}",
            "user": parts.username,
            "password": unquote(parts.password or ""),
        },
        "migrateOnStartup": True,
        "graphql": {"enabled": False},
        "search": {"enabled": False},
        "logging": {"level": "WARN", "appenders": [{"type": "console"}]},
    }
    unfinished = file.with_name(f"{file.name}.new")
    unfinished.unlink(missing_ok=True)
    opened = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(opened, "w") as handle:
        # JSON is YAML, and quotes every character of a password.
        handle.write(json.dumps(content, indent=1) + "\n")
    unfinished.replace(file)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock file, which stays."""
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
