"""Child processes of the tests: free ports, readiness with a deadline, kill -9 and SIGSTOP, and an end that comes with the parent's."""
import concurrent.futures
import contextlib
import os
import pathlib
import random
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FERMATA_BUILD", ROOT / "build/release"))

READY_SECONDS = 180.0
STOP_SECONDS = 30.0

# The kernel kills a child with the *thread* that started it, so all are started by one that lives until the interpreter ends.
_starter = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")
_given_ports = set()


def start(command, **options):
    """Popen in a session of its own (Ctrl-C reaches only the parent), killed by the kernel when this process ends."""
    bound_to_us = ["setpriv", "--pdeathsig", "KILL", "--", *map(str, command)]
    return _starter.submit(subprocess.Popen, bound_to_us, start_new_session=True, **options).result()


def free_port():
    """A TCP port below the range of outgoing connections, so that it is still free when its server comes back."""
    while True:
        port = random.SystemRandom().randrange(10000, 32000)
        if port in _given_ports:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given_ports.add(port)
        return port


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        return True
    return False


def temporary_folder(name):
    """Removed by cleanup(), or when the interpreter ends."""
    return tempfile.TemporaryDirectory(prefix=f"fermata-{name}-", ignore_cleanup_errors=True)


def settled(look, pause=1.0, timeout=60.0):
    """What `look()` gives, as soon as it gives the same twice, `pause` seconds apart."""
    former = [look()]

    def still():
        before, former[0] = former[0], look()
        return before == former[0]

    time.sleep(pause)
    wait_until(still, timeout, "coming to rest", pause)
    return former[0]


def wait_until(condition, timeout=60.0, what="the condition", pause=0.02):
    """Polls until `condition()` is true; its last value is returned. Fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what() if callable(what) else what} did not come true within {timeout:g} s")
        time.sleep(pause)


def exchange(port, request, enough, timeout=2.0):
    """Sends `request` to a local port and reads until `enough(answer)` or the end; b"" if nobody answers."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as peer:
            peer.sendall(request)
            while not enough(answer):
                part = peer.recv(65536)
                if not part:
                    break
                answer += part
    except OSError:
        return b""
    return answer


class Server:
    """One server process with a folder of its own. Subclasses give `command()` and `is_ready()`.

    launch() returns at once and wait_ready() waits, so that several can start side by side; start() does both."""

    name = "server"

    def __init__(self, folder=None):
        self.temporary = None if folder else temporary_folder(self.name)
        self.folder = pathlib.Path(folder or self.temporary.name)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_path = self.folder / f"{self.name}.log"
        self.process = None

    def command(self):
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def describe(self):
        """Name and version, for the summary of a test run."""
        return self.name

    def launch(self):
        assert not self.running(), f"{self.name} already runs"
        with self.log_path.open("ab") as log:
            self.process = start(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        return self

    def wait_ready(self, timeout=READY_SECONDS):
        deadline = time.monotonic() + timeout
        while not self.is_ready():
            if not self.running() or time.monotonic() > deadline:
                why = f"ended with {self.process.returncode}" if not self.running() else f"is not ready after {timeout:g} s"
                tail = self.log_tail()
                self.stop()
                raise RuntimeError(f"{self.name} {why}; the end of its log:\n{tail}")
            time.sleep(0.05)
        return self

    def start(self):
        return self.launch().wait_ready()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log_tail(self, lines=30):
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self):
        """SIGTERM, and SIGKILL if it has not ended within STOP_SECONDS. Idempotent."""
        if self.running():
            self.resume()
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill9()

    def kill9(self):
        if self.running():
            self.process.kill()
        if self.process:
            self.process.wait(STOP_SECONDS)

    def restart(self, how="stop"):
        """Ends it ("stop" or "kill9") and starts it again with the same port and data."""
        getattr(self, how)()
        return self.start()

    def pause(self):
        """SIGSTOP: it keeps its connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        """Ends it for good and removes what it wrote."""
        self.kill9()
        if self.temporary:
            self.temporary.cleanup()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
