"""Start time, idle memory and pause latency of the shipped daemon, from outside."""
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from daemon import Daemon, Workspace, wait_until  # noqa: E402


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def start_times(folder, rounds=10):
    took = []
    for number in range(rounds):
        home = folder / f"start-{number}"
        home.mkdir()
        began = time.monotonic()
        with Daemon(Workspace(home)):
            took.append(time.monotonic() - began)
    return took


def resident_mib(daemon):
    return int(next(line for line in open(f"/proc/{daemon.process.pid}/status") if line.startswith("VmRSS")).split()[1]) / 1024


def pause_times(daemon, rounds=100):
    """From the request to the answer of a pause with ?wait: what an operator waits for."""
    took = []
    for _ in range(rounds):
        began = time.monotonic()
        answer = daemon.post("/api/v1/services/crr/locations/paris/pause?wait=10s")
        took.append(time.monotonic() - began)
        assert answer.json["converged"], answer.text
        daemon.post("/api/v1/services/crr/locations/paris/resume")
    return took


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        took = start_times(folder)
        print(f"daemon: start to ready p50 {percentile(took, 0.5):.3f} s, worst {max(took):.3f} s (aim 0.3)")
        home = folder / "idle"
        home.mkdir()
        with Daemon(Workspace(home)) as daemon:
            wait_until(lambda: daemon.location("crr", "paris")["state"] == "running")
            print(f"daemon: idle memory {resident_mib(daemon):.1f} MiB (aim 40)")
            took = pause_times(daemon)
            print(f"daemon: pause with ?wait, idle: p50 {percentile(took, 0.5) * 1e3:.2f} ms, p99 {percentile(took, 0.99) * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
