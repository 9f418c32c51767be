"""Mirroring a RING's metadata log: a bucketd of our own, the shipped daemon, and a store that equals the truth."""
import json
import urllib.parse

import pytest
import yaml

from bucketd_server import BucketdServer, difference, mirrored
from daemon import PLUGINS, ROOT, Daemon, wait_until
from process import settled


@pytest.fixture
def bucketd(tmp_path, rng):
    with BucketdServer(tmp_path / "bucketd", seed=rng.randrange(2**31)) as server:
        yield server


@pytest.fixture
def store(tmp_path):
    return tmp_path / "mirror.db"


@pytest.fixture
def ring(workspace, bucketd, store):
    """The shipped binary, mirroring the bucketd."""
    workspace.config["extensions"] = [bucketd.extension(store)]
    with Daemon(workspace) as running:
        yield running


def details(daemon):
    return daemon.location("ingestion", "ring")["nodes"][0]


def wait_equal(bucketd, store, timeout=120):
    """Until the store holds what the source holds."""
    truth = bucketd.truth()
    last = []

    def equal():
        last[:] = difference(truth, mirrored(store)) if store.exists() else ["no store"]
        return not last

    wait_until(equal, timeout, lambda: f"store and truth being equal; they differ in {last}", pause=0.1)
    assert any(truth.values())


def test_50000_changes_arrive_under_pause_resume_and_kill(ring, bucketd, store, rng):
    for round_ in range(10):
        bucketd.change(5_000)
        deed = rng.choice(["pause", "kill", "both", "none"])
        if deed in ("pause", "both"):
            ring.cli("pause", "ingestion", "ring", "--wait", "60s")
        if deed in ("kill", "both"):
            ring.restart()
        if deed in ("pause", "both"):
            ring.cli("resume", "ingestion", "ring", "--wait", "60s")
    wait_equal(bucketd, store)
    ring.restart()
    bucketd.change(100)
    wait_equal(bucketd, store)


def test_faults_of_the_source_lose_and_double_nothing(ring, bucketd, store):
    for kind in ("404", "416", "500", "truncated", "invalid", "hang-up", "slow"):
        bucketd.fault(kind, 3)
        bucketd.change(300)
        wait_equal(bucketd, store)


def test_a_paused_location_asks_the_source_for_nothing(ring, bucketd, store):
    bucketd.change(100)
    wait_equal(bucketd, store)
    ring.cli("pause", "ingestion", "ring", "--wait", "60s")
    asked, before = settled(bucketd.requests), mirrored(store)
    bucketd.change(100)
    ring.restart()  # also after it
    wait_until(lambda: ring.get("/readyz").status == 200)
    assert bucketd.requests() == asked and mirrored(store) == before
    ring.cli("resume", "ingestion", "ring")
    wait_equal(bucketd, store)


def test_a_new_location_is_paused_unless_the_configuration_says_otherwise(workspace, bucketd, store):
    extension = bucketd.extension(store)
    del extension["locations"][0]["paused"]
    workspace.config["extensions"] = [extension]
    with Daemon(workspace) as daemon:
        assert daemon.get("/_/ingestion/status").json == {"ring": "disabled"}
        assert bucketd.requests() == 0


def test_an_unreachable_source_is_shown_and_comes_back(ring, bucketd, store):
    bucketd.change(10)
    wait_equal(bucketd, store)
    bucketd.kill9()
    wait_until(lambda: "cannot be read" in json.dumps(details(ring)), what=lambda: f"the reason; shown: {details(ring)}")
    bucketd.start()  # the same seed, the same log
    bucketd.change(10)
    wait_until(lambda: "cannot be read" not in json.dumps(details(ring)), what="the end of the trouble")
    wait_equal(bucketd, store)


def test_a_pruned_log_is_shown(ring, bucketd, store):
    bucketd.change(50)
    wait_equal(bucketd, store)
    ring.cli("pause", "ingestion", "ring", "--wait", "60s")
    position = bucketd.change(50)
    bucketd.ask("POST", "/control/prune", {"first": position - 9})
    ring.cli("resume", "ingestion", "ring")
    wait_until(lambda: "pruned before they were read" in json.dumps(details(ring)), what=lambda: f"the loss; shown: {details(ring)}")
    wait_until(lambda: "was pruned: 40 records" in ring.log(), what="the line")


def test_the_mirror_is_shown_on_the_command_line(ring, bucketd, store):
    bucketd.change(200)
    wait_equal(bucketd, store)
    truth = bucketd.truth()
    seen, after = [], ""
    while after is not None:
        page = json.loads(ring.cli("--json", "ingestion", "ls", f"ring/ring-photos/?limit=50{after}").stdout)
        seen += [one["key"] for one in page["objects"]]
        after = "&after=" + urllib.parse.quote(page["next"], safe="") if "next" in page else None
    assert seen == sorted(truth["ring-photos"], key=lambda key: key.encode())
    key = seen[0]
    shown = json.loads(ring.cli("--json", "ingestion", "get", f"ring-photos/{key}").stdout)
    assert shown["metadata"]["owner-id"] == "owner-1" and shown["metadata"]["location"][0]["dataStoreName"] == "ring"
    assert shown["md5"] == truth["ring-photos"][key][1]
    again = json.loads(ring.cli("--json", "ingestion", "get", f"ring-photos/{key}?versionId={shown['versionId']}").stdout)
    assert again == shown
    ring.cli("ingestion", "get", "ring-photos/nothing", expect=4)


def test_the_example_works_as_it_stands(workspace, bucketd):
    example = yaml.safe_load((ROOT / "config/examples/ingestion.yaml").read_text(encoding="utf-8"))
    assert example["extensions"][0]["locations"][0]["endpoint"] == "http://127.0.0.1:9000"
    example["extensions"][0]["locations"][0]["endpoint"] = bucketd.url
    workspace.config = example | {"rest": {"port": 0}, "plugin_dir": str(PLUGINS)}
    bucketd.change(200)
    with Daemon(workspace, {"FERMATA_DATA_DIR": str(workspace.data)}):
        wait_equal(bucketd, workspace.data / "mirror.db")
