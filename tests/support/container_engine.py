"""A container engine for tests: own socket, own data folder, own network namespace.

    with running_engine() as engine:                 # raises NoEngine, whose text is a skip reason
        engine.docker("import", "base.tar", "base")
        engine.docker("run", "--network", "host", "base", "serve")
        engine.run(["curl", "http://127.0.0.1:8080/ping"])   # in the engine's network namespace

It is Debian's dockerd: the installed one, else the packages unpacked into .local/engine, so that
nothing is installed. An engine that a user runs is neither used nor seen. The namespace has
loopback alone: containers with `--network host` listen there, and nothing in it reaches out.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("docker.io", "containerd", "runc")
NEEDED = ("docker", "dockerd", "containerd", "containerd-shim-runc-v2", "runc")
START_SECONDS = 60  # seen: 2

# What `ip link set lo up` does, without the package iproute2, then exec.
LOOPBACK_UP = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS, UP|RUNNING
os.execvp(sys.argv[1], sys.argv[1:])
"""


class NoEngine(Exception):
    """This machine cannot run a container engine of our own; the message says why."""


@dataclass(frozen=True)
class Engine:
    """A running engine. `environment` is for commands that talk to it, `prefix` for its network."""

    environment: dict[str, str]
    prefix: tuple[str, ...]

    def run(
        self, command: Sequence[str], timeout: float = 120, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the engine's network namespace; DOCKER_HOST points to the engine.

        Raises subprocess.TimeoutExpired after `timeout` seconds and, if `check`, AssertionError
        with the output of a command that failed.
        """
        done = subprocess.run(
            [*self.prefix, *command],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{' '.join(command)} exited {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done

    def docker(self, *arguments: str, timeout: float = 120) -> str:
        """Return what a docker command prints on standard output, stripped."""
        return self.run(["docker", *arguments], timeout).stdout.strip()


@contextmanager
def running_engine(*, bridge: bool = False) -> Iterator[Engine]:
    """Start an engine, yield it, then remove its containers, its images and itself.

    bridge: whether containers have a network of their own, with the namespace at 172.17.0.1.
    Raises NoEngine.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise NoEngine("a container engine of its own needs Linux and root")
    path = _programs()
    folder = Path(tempfile.mkdtemp(prefix="engine-"))
    log = folder / "log"
    environment = {
        "PATH": path,
        "HOME": str(folder),
        "DOCKER_HOST": f"unix://{folder}/socket",
        "DOCKER_BUILDKIT": "0",  # BuildKit would pull its own images
    }
    command = ["unshare", "--net", sys.executable, "-c", LOOPBACK_UP, "dockerd"]
    command += [f"--host=unix://{folder}/socket", f"--data-root={folder}/data"]
    command += [f"--exec-root={folder}/run", f"--pidfile={folder}/pid", f"--config-file={_empty()}"]
    command += [] if bridge else ["--bridge=none"]
    command += ["--iptables=false", "--ip6tables=false"]
    command += ["--ip-forward=false", "--ip-masq=false"]
    with log.open("wb") as output:
        daemon = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    engine = Engine(environment, ("nsenter", f"--target={daemon.pid}", "--net"))
    try:
        _wait(engine, daemon, log)
        yield engine
    finally:
        _stop(engine, daemon)
        shutil.rmtree(folder, ignore_errors=True)


def _empty() -> str:
    """A configuration file that says nothing: the user's /etc/docker/daemon.json is not ours."""
    path = ROOT / ".local/engine/daemon.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    return str(path)


def _programs() -> str:
    """Return a PATH that has the engine's programs. Raises NoEngine."""
    unpacked = ROOT / ".local/engine/root"
    system = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    if missing := [name for name in ("unshare", "nsenter") if not shutil.which(name, path=system)]:
        raise NoEngine(f"a container engine of its own needs {' and '.join(missing)} (util-linux)")
    if all(shutil.which(name, path=system) for name in NEEDED):
        return system
    # Ahead of the system's: a docker client that is there alone may be too new for this engine.
    path = f"{unpacked}/usr/bin:{unpacked}/usr/sbin:{system}"
    if not all((unpacked / "usr" / place).is_file() for place in ("sbin/dockerd", "bin/runc")):
        _unpack(unpacked)
    return path


def _unpack(target: Path) -> None:
    """Download Debian's packages and unpack them into a folder. Raises NoEngine."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NoEngine("dockerd is not installed, and without apt-get it cannot be fetched")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        download = ["apt-get", "-qq", "download", *PACKAGES]
        for command in (download, ["apt-get", "-qq", "update"], download):
            try:
                done = subprocess.run(
                    command, cwd=folder, capture_output=True, text=True, timeout=240
                )
            except subprocess.TimeoutExpired as error:
                raise NoEngine(f"Debian's packages cannot be fetched: {error}") from error
            if command is download and done.returncode == 0:
                break
        else:
            raise NoEngine(f"Debian's packages cannot be fetched: {done.stderr.strip()}")
        for package in sorted(Path(folder).glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), f"{folder}/root"], check=True)
        if not target.exists():
            Path(folder, "root").rename(target)


def _wait(engine: Engine, daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if daemon.poll() is not None:
            break
        if engine.run(["docker", "info"], check=False).returncode == 0:
            return
        time.sleep(0.2)
    last = "\n".join(log.read_text(errors="replace").splitlines()[-3:])
    raise NoEngine(f"dockerd does not start here: {last}")


def _stop(engine: Engine, daemon: subprocess.Popen[bytes]) -> None:
    if daemon.poll() is None:
        containers = engine.run(["docker", "ps", "--all", "--quiet"], check=False).stdout.split()
        if containers:
            engine.run(["docker", "rm", "--force", *containers], check=False)
        daemon.terminate()
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
