"""10,000 locations in one configuration."""
import json
import os
import time

from daemon import Daemon, wait_until

LOCATIONS = 10_000


def threads(pid):
    return int(next(line for line in open(f"/proc/{pid}/status") if line.startswith("Threads:")).split()[1])


def percentile(values, share):
    return sorted(values)[int(len(values) * share) - 1]


def test_ten_thousand_locations_start_answer_and_pause(workspace):
    names = [f"location-{number:05}" for number in range(LOCATIONS)]
    workspace.config["extensions"] = [{"name": "hello", "settings": {"greeting": "hi"}, "locations": [{"name": name} for name in names]}]
    with Daemon(workspace, start=False) as daemon:
        began = time.monotonic()
        daemon.start()
        wait_until(lambda: daemon.location("hello", names[-1])["state"] == "running", 90)
        print(f"start to ready with {LOCATIONS} locations: {time.monotonic() - began:.2f} s")
        assert threads(daemon.process.pid) < 40 + os.cpu_count()

        took = []
        for _ in range(200):
            began = time.monotonic()
            answer = daemon.get("/_/hello/status")
            took.append(time.monotonic() - began)
            assert answer.status == 200
        assert list(json.loads(answer.text)) == names
        print(f"status of {LOCATIONS} locations: p50 {percentile(took, 0.5) * 1e3:.1f} ms, p99 {percentile(took, 0.99) * 1e3:.1f} ms")

        began = time.monotonic()
        answer = daemon.post("/api/v1/services/hello/locations/all/pause?wait=60s")
        assert answer.status == 200 and answer.json["converged"] is True, answer.text[:300]
        print(f"pause all: {time.monotonic() - began:.2f} s")
        assert set(daemon.get("/_/hello/status").json.values()) == {"disabled"}
        assert threads(daemon.process.pid) < 40 + os.cpu_count()

        daemon.restart()
        assert set(daemon.get("/_/hello/status").json.values()) == {"disabled"}
