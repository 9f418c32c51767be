"""crr in a cluster: a store's events through Kafka, to two kinds of S3 server, under everything that goes wrong at once."""
import os
import time

import pytest

from cluster import Cluster, steer
from daemon import wait_until
from kafka_broker import Unavailable
from process import settled
from s3_relay import S3Relay
from s3_servers import MinioServer, VersityServer
from s3_workload import MIB, MemoryWatch, OrderWatch, Workload, differences, snapshot, wait_until_same

OBJECTS = int(os.environ.get("FERMATA_S3_OBJECTS", 200))
FAULTS = int(os.environ.get("FERMATA_S3_FAULTS", 25))
LARGEST = (64 if OBJECTS >= 1000 else 24) * MIB
SECONDS = 300 + OBJECTS // 5
MOST_MIB = 200
TARGETS = ("paris", "oslo")


def or_skip(server):
    try:
        return server()
    except Unavailable as reason:
        pytest.skip(str(reason))


class World:
    """A cluster that replicates a MinIO to a MinIO (paris) and a versitygw (oslo), each behind a relay that can misbehave."""

    def __init__(self, servers, folder, nodes, rng):
        self.rng = rng
        self.source = or_skip(MinioServer)
        self.stores = {"paris": or_skip(MinioServer), "oslo": or_skip(VersityServer)}
        self.relays = {name: S3Relay(store.port, rng.random()) for name, store in self.stores.items()}
        self.paused = set()
        self.cluster = Cluster(servers, folder, nodes=nodes, adapt=self.adapt)
        self.source.kafka = (f"127.0.0.1:{servers.kafka.brokers[0].port}", f"{self.cluster.name}-events")

    def adapt(self, config):
        config["extensions"] = [{
            "name": "crr",
            "settings": {"source": self.source.settings(), "journal": {"type": "s3-events", "topic": "events"}},
            "locations": [{"name": name, **store.settings(self.relays[name].url)} for name, store in self.stores.items()],
            "pipeline": {"retry_first": "100ms", "retry_max": "2s"},
        }]

    def __enter__(self):
        for server in (self.source, *self.stores.values()):
            server.start()
        self.cluster.start()
        return self

    def __exit__(self, *_):
        self.cluster.close()
        for relay in self.relays.values():
            relay.close()
        for server in (self.source, *self.stores.values()):
            server.close()

    def pids(self):
        return [node.process.pid for node in self.cluster.alive()]

    def change(self, verb, name):
        node = self.rng.choice(self.cluster.alive())
        answer = steer(lambda: node.post(f"/api/v1/services/crr/locations/{name}/{verb}?wait=60s"))
        assert answer.status == 200, answer.text
        getattr(self.paused, "add" if verb == "pause" else "discard")(name)
        return answer.json["converged"]

    def pause_and_look(self, name, buckets):
        """Nothing is written to a paused target."""
        if not self.change("pause", name) or not self.stores[name].running():
            return
        look = lambda: snapshot(self.stores[name].client(), buckets)  # noqa: E731
        before = settled(look, pause=2)  # what the store had received before a connection broke comes late
        time.sleep(1)  # in which something would come if it were not held
        assert look() == before, f"{name} is paused and changes"

    def misfortune(self, buckets):
        """One thing that goes wrong, or is done, at random."""
        name = self.rng.choice(TARGETS)
        what = self.rng.choices(["pause", "resume", "kill", "misbehave", "cut", "pass", "down", "up"], [2, 3, 2, 4, 1, 3, 1, 2])[0]
        if what == "pause":
            self.pause_and_look(name, buckets)
        elif what == "resume":
            self.change("resume", name)
        elif what == "kill":
            node = self.rng.choice(self.cluster.nodes)
            node.kill()
            node.start()
        elif what == "misbehave":
            self.relays[name].misbehave(self.rng.choice([0.05, 0.2, 0.5]))
        elif what == "cut":
            self.relays[name].cut()
        elif what == "pass":
            self.relays[name].passing()
        elif what == "down":
            self.stores[name].kill9()
        elif not self.stores[name].running():
            self.stores[name].start()
        return f"{what} {name}"

    def heal(self):
        for name in TARGETS:
            if not self.stores[name].running():
                self.stores[name].start()
            self.relays[name].passing()
            self.change("resume", name)


@pytest.mark.parametrize("nodes", [2, 3])
def test_histories_are_equal_at_the_end_whatever_happened_on_the_way(servers, tmp_path, rng, nodes):
    workload = Workload(rng.random(), OBJECTS, largest=LARGEST)
    with World(servers, tmp_path, nodes, rng) as world:
        for bucket in workload.buckets:
            world.source.make_bucket(bucket)
            world.source.publish(bucket, "kafka")
        order = OrderWatch(world.stores["paris"].client(), workload.changed)
        memory = MemoryWatch(world.pids)
        for watch in (order, memory):
            watch.start()
        upload = workload.upload(world.source.client())
        happened = [world.misfortune(workload.buckets) for _ in range(FAULTS)]
        upload.join()
        world.heal()
        print(f"{happened}; faults: { {name: dict(relay.counts) for name, relay in world.relays.items()} }")
        for name in TARGETS:
            wait_until_same(world.source, world.stores[name], workload, SECONDS)
        assert order.end() == [] and order.looks > 0
        assert memory.end() == [] and memory.most_mib < MOST_MIB
        for name in TARGETS:
            assert differences(world.source, world.stores[name], workload.buckets) == []
        node = world.cluster.alive()[0]
        assert node.get("/api/v1/services/crr/failed").json["Versions"] == [], "an outage gives nothing up"
        print(f"most memory of a node: {memory.most_mib:.0f} MiB; {order.looks} looks at changing objects")


def test_an_object_arrives_by_its_event(servers, tmp_path, rng):
    with World(servers, tmp_path, 2, rng) as world:
        world.source.make_bucket("alpha")
        world.source.publish("alpha", "kafka")
        for number in range(3):  # the first waits for the groups to form
            world.source.client().put_object(Bucket="alpha", Key=f"k{number}", Body=b"x")
            began = time.monotonic()
            for name in TARGETS:
                there = lambda: ("alpha", f"k{number}") in {entry[:2] for entry in snapshot(world.stores[name].client(), ["alpha"])}  # noqa: E731, B023
                wait_until(there, 60, "the object", pause=0.01)
        print(f"there after {time.monotonic() - began:.2f} s")
