"""Several daemons as one cluster, each behind fault gates of its own, all running the probe (../support/probe_plugin)."""
import collections
import contextlib
import pathlib
import signal
import subprocess
import types
import uuid

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

from daemon import PLUGINS, Daemon
from fault_gate import FaultGate
from kafka_broker import Kafka, OldKafka
from process import wait_until
from servers import Redis, ZooKeeper

NODES = 3
SESSION_SECONDS = 2  # of ZooKeeper and Kafka: how soon a silent node is given up


def session_password(session):
    """What ZooKeeper gives to a session: Java's Random, seeded with the id and a constant of the server."""
    multiplier, mask = 0x5DEECE66D, (1 << 48) - 1
    seed = (session ^ 0xB3415C00 ^ multiplier) & mask
    password = b""
    for _ in range(4):
        seed = (seed * multiplier + 0xB) & mask
        password += (seed >> 16 & 0xFFFFFFFF).to_bytes(4, "little")
    return password


class Gates(list):
    """Several gates told the same."""

    def __getattr__(self, verb):
        return lambda *arguments: [getattr(gate, verb)(*arguments) for gate in self]


class Servers:
    """Redis, ZooKeeper and a Kafka of `brokers`, with gates for each of `nodes`. `kafka` makes another one, given the ZooKeeper."""

    def __init__(self, nodes=NODES, brokers=1, kafka=None):
        self.redis, self.zookeeper = Redis(), ZooKeeper()
        self.kafka = kafka(self.zookeeper) if kafka else Kafka(nodes=brokers, gates=nodes)
        self.nodes = nodes
        self.gates = {}

    def __enter__(self):
        try:
            self.open_gates()  # first, so that nobody else takes their ports
            for server in self.all():
                server.launch()
                if isinstance(self.kafka, OldKafka):
                    server.wait_ready()  # it gives up without ZooKeeper
            for server in self.all():
                server.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for gates in self.gates.values():
            gates.close()
        for server in self.all():
            server.close()

    def open_gates(self):
        for node in range(self.nodes):
            self.gates[node, "redis"] = Gates([FaultGate(self.redis.address)])
            self.gates[node, "zookeeper"] = Gates([FaultGate(self.zookeeper.address)])
            self.gates[node, "kafka"] = Gates(
                FaultGate(f"127.0.0.1:{broker.gated_ports[node]}", broker.gate_ports[node]) for broker in self.kafka.brokers
            )

    def all(self):
        return [self.redis, self.zookeeper, self.kafka]

    def gates_of(self, server):
        """The gates of all nodes to "redis", "zookeeper" or "kafka"."""
        return Gates(gate for (_, name), gates in self.gates.items() if name == server for gate in gates)

    def heal(self):
        """All gates pass, and whatever a test ended or froze runs again."""
        for server in [self.redis, self.zookeeper, *self.kafka.brokers]:
            if server.running():
                server.resume()
            else:
                server.start()
        for gates in self.gates.values():
            gates.passing()


class Node(Daemon):
    """One daemon of a cluster."""

    def __init__(self, cluster, number):
        self.cluster, self.number, self.id = cluster, number, f"node-{number + 1}"
        folder = cluster.folder / self.id
        data = folder / "data"
        data.mkdir(parents=True)
        self.output = folder / "probe.txt"
        config = self.configuration(data)
        cluster.adapt(config)
        super().__init__(types.SimpleNamespace(folder=folder, data=data, config=config), start=False)

    def configuration(self, data):
        servers, name = self.cluster.servers, self.cluster.name
        return {
            "node_id": self.id,
            "data_dir": str(data),
            "plugin_dir": str(PLUGINS),
            "rest": {"port": 0},
            "cluster": {"mode": "distributed"},
            "zookeeper": {
                "servers": [gate.address for gate in servers.gates[self.number, "zookeeper"]],
                "chroot": f"/{name}",
                "session_timeout": f"{SESSION_SECONDS}s",
                "operation_timeout": "2s",
            },
            "redis": {
                "servers": [gate.address for gate in servers.gates[self.number, "redis"]],
                "key_prefix": f"{name}:",
                "channel_prefix": f"{name}-",
                "ping_interval": "2s",
                "operation_timeout": "2s",
            },
            "kafka": {
                "brokers": servers.kafka.gated_address(self.number).split(","),
                "topic_prefix": f"{name}-",
                "session_timeout": f"{SESSION_SECONDS}s",
                "properties": {"reconnect.backoff.max.ms": "500", "socket.timeout.ms": "3000"},
            },
            "queue": {"partitions": 6},
            "extensions": [
                {
                    "name": "probe",
                    "settings": {"node": self.id, "output": str(self.output), **self.cluster.settings},
                    "locations": [{"name": location} for location in self.cluster.locations],
                    "pipeline": {"retry_first": "100ms", "retry_max": "1s"},
                }
            ],
        }

    def gates(self, server):
        return self.cluster.servers.gates[self.number, server]

    def freeze(self):
        """SIGSTOP: its connections stay, it does nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def readiness(self):
        """The text of /readyz, or "" when all is well."""
        answer = self.get("/readyz")
        return "" if answer.status == 200 else answer.text


Line = collections.namedtuple("Line", "location partition offset attempt key value node at outcome")


def steer(ask):
    """Asks again while a server was silent for so long that the node refuses to change anything."""
    def answered():
        answer = ask()
        return answer if answer.status != 503 else None
    return wait_until(answered, 60, "an answer other than 503", pause=0.2)


class Cluster:
    """`nodes` daemons with the probe at `locations`; `settings` are the probe's. Topics, paths, channels and keys bear its name.
    `adapt` changes a node's configuration before it is used."""

    def __init__(self, servers, folder, nodes=NODES, locations=("left", "right"), settings=None, adapt=lambda config: None):
        self.servers, self.folder, self.locations = servers, pathlib.Path(folder), locations
        self.settings, self.adapt = settings or {}, adapt
        self.name = f"t{uuid.uuid4().hex[:8]}"
        self.topic = f"{self.name}-probe"
        self.read, self.read_to, self.read_done = [], collections.Counter(), collections.defaultdict(set)
        self.nodes = [Node(self, number) for number in range(nodes)]

    def start(self):
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait_ready()
        ids = [node.id for node in self.nodes]
        seen = {}

        def see_each_other():
            for node in self.nodes:
                with contextlib.suppress(OSError):
                    seen[node.id] = [each["id"] for each in node.get("/api/v1/nodes").json["nodes"]]
            return all(seen.get(each) == ids for each in ids)

        wait_until(see_each_other, what=lambda: f"nodes that see each other: {seen}")
        return self

    def wait_ready(self, timeout=60):
        red = lambda: list(filter(None, (node.readiness() for node in self.nodes)))  # noqa: E731
        wait_until(lambda: not red(), timeout, lambda: f"readiness: {red()}", pause=0.1)

    def close(self):
        for node in self.nodes:
            node.kill()

    def alive(self):
        return [node for node in self.nodes if node.process and node.process.poll() is None]

    # What operators do, at any node.

    def change(self, verb, location, node=0, query="", body=None):
        return self.nodes[node].post(f"/api/v1/services/probe/locations/{location}/{verb}{query}", body)

    def pause(self, location, node=0, query="?wait=60s"):
        answer = steer(lambda: self.change("pause", location, node, query))
        assert answer.status == 200 and (not query or answer.json["converged"]), answer.text
        return answer

    def resume(self, location, node=0, query="?wait=60s"):
        answer = steer(lambda: self.change("resume", location, node, query))
        assert answer.status == 200 and (not query or answer.json["converged"]), answer.text
        return answer

    def schedule(self, location, body, node=0):
        return steer(lambda: self.nodes[node].request("PUT", f"/api/v1/services/probe/locations/{location}/schedule", body))

    def states(self, location):
        """What each live node says of each: {asked: (state, {node: its state})}."""
        shown = {}
        for node in self.alive():
            view = node.location("probe", location)
            shown[node.id] = (view["state"], {each["node"]: each["state"] for each in view["nodes"]})
        return shown

    def wait_state(self, location, state, nodes, timeout=90):
        """Until every live node says that exactly `nodes` (ids) are in `state`, and so is the location."""
        expected = (state, {node: state for node in nodes})
        last = {}

        def agreed():
            last.update(self.states(location))
            return all(shown == expected for shown in last.values())

        wait_until(agreed, timeout, lambda: f"{location} {state} on {list(nodes)}; shown: {last}", pause=0.05)

    # What independent clients see.

    @contextlib.contextmanager
    def zookeeper(self, **options):
        """A kazoo client at the cluster's chroot, which it makes if it is missing."""
        client = KazooClient(self.servers.zookeeper.address, timeout=10, **options)
        client.start(timeout=20)
        client.ensure_path(f"/{self.name}")
        client.chroot = f"/{self.name}"
        try:
            yield client
        finally:
            client.stop()
            client.close()

    def expire_session(self, node):
        """Ends the ZooKeeper session of a node from the outside: a second handle takes it over and closes it.

        The node is frozen meanwhile, as it would take its session back."""
        with self.zookeeper() as client:
            presence = next(path for path in self.paths(client) if path.endswith(f"/nodes/{node.id}"))
            session = client.get(presence)[1].owner_session_id
        taken = KazooClient(self.servers.zookeeper.address, client_id=(session, session_password(session)), timeout=SESSION_SECONDS)
        node.freeze()
        try:
            taken.start(timeout=20)
            taken.stop()
            taken.close()
        finally:
            node.thaw()

    def paths(self, client, below="/"):
        """Every path below `below`."""
        try:
            children = client.get_children(below)
        except NoNodeError:  # its session ended meanwhile
            return
        for child in children:
            path = f"{below.rstrip('/')}/{child}"
            yield path
            yield from self.paths(client, path)

    # What the probe wrote down.

    def read_on(self):
        """Takes in what the nodes have written since the last time."""
        for node in self.nodes:
            if not node.output.exists():
                continue
            with node.output.open() as file:
                file.seek(self.read_to[node.id])
                for text in file:
                    if not text.endswith("\n"):
                        break
                    self.read_to[node.id] += len(text)  # ASCII
                    location, partition, offset, attempt, key, value, name, at, outcome = text.split()
                    self.read.append(Line(location, int(partition), int(offset), int(attempt), key, value, name, int(at), outcome))
                    if outcome == "done":
                        self.read_done[location].add(value)

    def lines(self):
        """Every delivery that ended, on any node, by the time it began."""
        self.read_on()
        return sorted(self.read, key=lambda line: line.at)

    def done(self, location):
        """The values that were processed at `location`."""
        self.read_on()
        return set(self.read_done[location])

    def wait_done(self, location, values, timeout=60):
        values = set(map(str, values))
        missing = set(values)

        def complete():
            missing.intersection_update(values - self.done(location))
            return not missing

        wait_until(complete, timeout, lambda: f"{len(values)} records at {location} (missing: {sorted(missing)[:10]})", pause=0.1)

    def check_order(self):
        """No record of a key begins before the one before it has been done; redeliveries aside. Values count up per key."""
        first_done, problems = {}, []
        highest = collections.defaultdict(lambda: -1)
        for line in self.lines():
            stream, number = (line.location, line.key), int(line.value)
            if number > highest[stream]:
                before = highest[stream]
                if before >= 0 and (stream, before) not in first_done:
                    problems.append(f"{line}: begun before {before} was done")
                highest[stream] = number
            elif (stream, number) not in first_done and line.outcome == "done" and number < highest[stream]:
                problems.append(f"{line}: done for the first time after {highest[stream]} had begun")
            if line.outcome == "done":
                first_done.setdefault((stream, number), line.at)
        assert not problems, "\n".join(map(str, problems[:10]))

    def produce(self, records):
        """Sends (key, value) pairs with kcat, straight to the broker."""
        text = "".join(f"{key}:{value}\n" for key, value in records)
        subprocess.run(
            ["kcat", "-P", "-b", self.servers.kafka.address, "-t", self.topic, "-K:", "-X", "partitioner=murmur2_random", "-X", "acks=all",
             "-X", "enable.idempotence=true", "-X", "allow.auto.create.topics=false"],
            input=text, text=True, check=True, timeout=60, capture_output=True,
        )
