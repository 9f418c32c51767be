"""The mirror in a cluster: any node reads the log, one has the store; nodes die, and the store equals the truth."""
import pytest

from bucketd_server import BucketdServer, difference, mirrored
from cluster import Cluster, steer
from daemon import wait_until
from process import settled

STORE_NODE = "node-1"


@pytest.fixture
def bucketd(tmp_path, rng):
    with BucketdServer(tmp_path / "bucketd", seed=rng.randrange(2**31)) as server:
        yield server


@pytest.fixture
def store(tmp_path):
    return tmp_path / "mirror.db"


@pytest.fixture
def ring(servers, tmp_path, bucketd, store):
    """Three nodes that mirror the bucketd; the first has the store."""

    def adapt(config):
        config["extensions"] = [bucketd.extension(store if config["node_id"] == STORE_NODE else None)]

    cluster = Cluster(servers, tmp_path / "cluster", adapt=adapt)
    try:
        yield cluster.start()
    finally:
        cluster.close()


def wait_equal(bucketd, store, timeout=120):
    truth = bucketd.truth()
    last = []

    def equal():
        last[:] = difference(truth, mirrored(store)) if store.exists() else ["no store"]
        return not last

    wait_until(equal, timeout, lambda: f"store and truth being equal; they differ in {last}", pause=0.2)
    assert any(truth.values())


def reader(cluster):
    """The node that reads the log."""

    def found():
        for node in cluster.alive():
            metrics = node.get("/_/monitoring/metrics").text.splitlines()
            if any(line.startswith("fermata_populator_active") and 'populator="log-ring-1"' in line and line.endswith(" 1") for line in metrics):
                return node
        return None

    return wait_until(found, 90, "a node that reads the log", pause=0.2)


def change(node, verb):
    answer = steer(lambda: node.post(f"/api/v1/services/ingestion/locations/ring/{verb}?wait=60s"))
    assert answer.status == 200 and answer.json["converged"], answer.text


def test_the_log_goes_on_elsewhere_when_the_node_that_reads_it_dies(ring, bucketd, store):
    bucketd.change(2_000)
    wait_equal(bucketd, store)
    for _ in range(2):
        node = reader(ring)
        bucketd.change(2_000)
        node.kill()
        if node.id != STORE_NODE:
            wait_until(lambda: reader(ring) is not node, 90, "another node reading")
        bucketd.change(500)
        node.start()
        wait_equal(bucketd, store)


def test_a_pause_at_any_node_stops_fetching_on_all(ring, bucketd, store):
    bucketd.change(500)
    wait_equal(bucketd, store)
    change(ring.nodes[2], "pause")
    asked = settled(bucketd.requests)
    bucketd.change(500)
    assert bucketd.requests() == asked
    change(ring.nodes[1], "resume")
    wait_equal(bucketd, store)


def test_a_second_store_is_refused(ring, bucketd, store, tmp_path):
    bucketd.change(100)
    wait_equal(bucketd, store)
    second = ring.nodes[1]
    second.workspace.config["extensions"] = [bucketd.extension(tmp_path / "second.db")]
    second.kill()
    second.launch()
    second.wait_address()
    wait_until(lambda: "the service has another store already" in second.log(), 90, "the refusal")
    bucketd.change(500)
    wait_equal(bucketd, store)
