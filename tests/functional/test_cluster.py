"""What ./run.sh --cluster serves, used as its text says."""
import json
import os
import re
import signal
import subprocess
import sys

from daemon import FERMATA, ROOT
from process import exchange, free_port, wait_until


def fermata(url, *arguments):
    """What the command line says, asked again until it succeeds."""
    said = {}

    def done():
        said["last"] = subprocess.run([FERMATA, "--url", url, *arguments], capture_output=True, text=True, timeout=90)
        return said["last"].returncode == 0

    wait_until(done, 60, lambda: f"fermata {' '.join(arguments)}: {said['last'].stdout + said['last'].stderr}", pause=0.5)
    return said["last"].stdout


def objects(folder):
    return sorted(path.name for path in (folder / "photos").glob("*.txt"))


def test_a_pause_crosses_the_cluster_and_a_dead_node_is_replaced(tmp_path):
    ports = [free_port() for _ in range(3)]
    log = tmp_path / "output.txt"
    servers = [sys.executable, ROOT / "tests/support/servers.py", "run", "--", ROOT / "tests/support/serve_cluster.sh"]
    environment = {**os.environ, "FERMATA_PORTS": " ".join(map(str, ports))}
    with log.open("w") as output:
        cluster = subprocess.Popen([*servers, FERMATA, tmp_path], stdout=output, stderr=output, env=environment)
    try:
        wait_until(lambda: cluster.poll() is not None or "is ready" in log.read_text(), 900, "the cluster to be ready")
        assert cluster.poll() is None, log.read_text()
        first, last = (f"http://127.0.0.1:{port}" for port in (ports[0], ports[2]))
        victim = int(re.search(r"kill -9 (\d+)", log.read_text())[1])

        fermata(first, "pause", "crr", "paris", "--wait", "60s")
        wait_until(lambda: json.loads(fermata(last, "--json", "status", "crr", "paris"))["state"] == "paused", what="the pause")
        for number in range(6):
            (tmp_path / "source/photos" / f"{number}.txt").write_text(str(number))
        wait_until(lambda: len(objects(tmp_path / "london")) == 6, 60, "london to go on")
        assert not (tmp_path / "paris/photos").exists() or objects(tmp_path / "paris") == []

        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: "node-3" not in fermata(first, "nodes"), 60, "the dead node to drop out")
        fermata(first, "resume", "crr", "paris", "--wait", "60s")
        wait_until(lambda: len(objects(tmp_path / "paris")) == 6, 60, "paris to follow, also what the dead node had")
    finally:
        cluster.terminate()
        cluster.wait(90)
    assert not (tmp_path / "node-1/rest.address").exists(), "the nodes were not stopped as they should be"
    redis = int(re.search(r"Redis 127\.0\.0\.1:(\d+)", log.read_text())[1])
    assert exchange(redis, b"PING\r\n", lambda got: True) == b"", "Redis was left behind"
