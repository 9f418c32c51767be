"""config/examples: each is valid, and those that need no other server but S3 start though that is away, and say so."""
import os
import subprocess

import pytest
import yaml

from daemon import FERMATA, PLUGINS, ROOT, Daemon, wait_until

EXAMPLES = sorted((ROOT / "config/examples").glob("*.yaml"))
NOBODY = "http://127.0.0.1:9"


def environment(workspace):
    keys = {f"{place}_{key}": "not-a-key" for place in ("SOURCE", "PARIS") for key in ("ACCESS_KEY", "SECRET_KEY")}
    return keys | {
        "FERMATA_DATA_DIR": str(workspace.data),
        "FERMATA_ZOOKEEPER": "127.0.0.1:2181",
        "FERMATA_REDIS": "127.0.0.1:6379",
        "FERMATA_KAFKA": "127.0.0.1:9092",
        "SOURCE_ENDPOINT": NOBODY,
        "PARIS_ENDPOINT": NOBODY + "1",
        "SOURCE_ADDRESS": "10.1.2.3",
        "WEBHOOK_TOKEN": "0123456789abcdef",
        "ARCHIVE_DIR": str(workspace.targets["london"]),
    }


def load(example, workspace):
    workspace.config = yaml.safe_load(example.read_text(encoding="utf-8"))
    workspace.config["plugin_dir"] = str(PLUGINS)
    workspace.config["rest"] = workspace.config.get("rest", {}) | {"address": "127.0.0.1", "port": 0}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_valid(example, workspace):
    load(example, workspace)
    path = Daemon(workspace, start=False).write_config()
    result = subprocess.run([FERMATA, "config", "check", path], capture_output=True, text=True, timeout=60,
                            env={**os.environ, **environment(workspace)})
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("example", [path for path in EXAMPLES if path.stem.startswith("crr") and "events" not in path.stem], ids=lambda path: path.stem)
def test_an_example_starts_while_its_stores_are_away_and_says_so(example, workspace):
    load(example, workspace)
    with Daemon(workspace, environment(workspace)) as daemon:
        wait_until(lambda: NOBODY in daemon.get("/api/v1/services/crr/locations/paris").text, 60, "a degraded location")
        assert "not-a-key" not in daemon.log()
