"""Kafka for tests: one broker or several in KRaft mode, or the oldest version we support; jars from Maven Central, kept in a cache."""
import base64
import os
import pathlib
import shlex
import shutil
import struct
import subprocess
import tempfile
import time
import uuid

from process import READY_SECONDS, Server, exchange, free_port, temporary_folder

CURRENT = "4.1.0"
OLDEST = "0.11.0.3"
ARTIFACTS = {
    CURRENT: ("org.apache.kafka:kafka_2.13:4.1.0", "org.slf4j:slf4j-simple:1.7.36"),
    OLDEST: ("org.apache.kafka:kafka_2.12:0.11.0.3", "javax.xml.bind:jaxb-api:2.3.1"),
}
DOWNLOAD_TRIES = 3
DOWNLOAD_SECONDS = 300


class Unavailable(RuntimeError):
    """What a server needs cannot be fetched; tests that need it are skipped with this reason."""


def cache_folder():
    own = os.environ.get("FERMATA_TEST_CACHE")
    return pathlib.Path(own) if own else pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "fermata-tests"


def jars(version):
    """The folder with Kafka's jars, downloaded at the first use. An interrupted download leaves nothing that would be used."""
    folder = cache_folder() / f"kafka-{version}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="download-") as aside:
        libs = pathlib.Path(aside) / "libs"
        download(version, pathlib.Path(aside) / "pom.xml", libs)
        try:
            libs.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, with the same jars
                raise
    return folder


def download(version, pom, libs):
    dependencies = "".join(
        "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>".format(*artifact.split(":"))
        for artifact in ARTIFACTS[version]
    )
    pom.write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>fermata.tests</groupId><artifactId>kafka</artifactId>"
        f"<version>1</version><dependencies>{dependencies}</dependencies></project>"
    )
    command = ["mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", f"-DoutputDirectory={libs}"]
    for attempt in range(1, DOWNLOAD_TRIES + 1):
        shutil.rmtree(libs, ignore_errors=True)
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            problem = str(error)
        else:
            if result.returncode == 0 and any(libs.glob("kafka_*.jar")):
                return
            problem = (result.stdout + result.stderr).strip().splitlines()[:1]
        if attempt < DOWNLOAD_TRIES:
            time.sleep(2 * attempt)
    raise Unavailable(
        f"Kafka {version} cannot be fetched from Maven Central ({problem}): connect to the network once, or name a broker in FERMATA_TEST_KAFKA=host:port"
    )


def metadata(port):
    """What the broker at a local port says of its cluster: (ports of the live brokers, id of the controller); ((), -1) if nothing."""
    name = b"fermata-tests"
    request = struct.pack(">hhih", 3, 1, 7, len(name)) + name + struct.pack(">i", 0)  # Metadata v1, no topics
    answer = exchange(
        port, struct.pack(">i", len(request)) + request, lambda got: len(got) >= 4 and len(got) >= 4 + struct.unpack(">i", got[:4])[0]
    )
    if len(answer) < 12:
        return (), -1
    (count,), at, ports = struct.unpack_from(">i", answer, 8), 12, []
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, at + 4)
        at += 6 + length
        (broker_port, rack) = struct.unpack_from(">ih", answer, at)
        ports.append(broker_port)
        at += 6 + max(rack, 0)
    return tuple(ports), struct.unpack_from(">i", answer, at)[0]


# Settings that both versions know: small, quick to form groups, and sessions may be as short as tests want.
COMMON = {
    "offsets.topic.num.partitions": 4,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "num.network.threads": 2,
    "num.io.threads": 2,
    "log.cleaner.dedupe.buffer.size": 4 << 20,
}


class Broker(Server):
    """One broker of a Kafka. `port` is its direct listener. Gated listener g is bound at `gated_ports[g]` and advertised as
    `gate_ports[g]`: a fault gate that listens on the latter and relays to the former sees all that its clients send."""

    def __init__(self, node, gates, cluster_folder):
        self.name = f"kafka-{node}"
        super().__init__(cluster_folder / f"broker-{node}")
        self.node = node
        self.port = free_port()
        self.controller_port = free_port()
        self.gated_ports = [free_port() for _ in range(gates)]
        self.gate_ports = [free_port() for _ in range(gates)]
        self.data = self.folder / "data"
        self.properties = self.folder / "server.properties"
        self.expected = 1
        self.launch_command = None

    def listeners(self, ports):
        return ",".join([f"PLAINTEXT://127.0.0.1:{self.port}", *(f"GATE{g}://127.0.0.1:{port}" for g, port in enumerate(ports))])

    def protocols(self, *more):
        names = ["PLAINTEXT", *(f"GATE{gate}" for gate in range(len(self.gate_ports))), *more]
        return ",".join(f"{name}:PLAINTEXT" for name in names)

    def configure(self, properties, launch_command, expected):
        settings = {
            **COMMON,
            "log.dirs": self.data,
            "listeners": self.listeners(self.gated_ports),
            "advertised.listeners": self.listeners(self.gate_ports),
            "listener.security.protocol.map": self.protocols(),
            "inter.broker.listener.name": "PLAINTEXT",
            **properties,
        }
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self.launch_command, self.expected = launch_command, expected

    def command(self):
        return self.launch_command

    def is_ready(self):
        ports, controller = metadata(self.port)
        return len(ports) >= self.expected and self.port in ports and controller >= 0


class OldBroker(Broker):
    """A broker that registers in ZooKeeper: killed and started again, it ends while its former session still lives there.

    It may end as the newly elected controller, when that session goes meanwhile; hundreds of lines then follow the one that says why."""

    def start(self):
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                return super().start()
            except RuntimeError:
                if "already registered" not in self.log_path.read_text(errors="replace") or time.monotonic() > deadline:
                    raise
                self.log_path.unlink()


class Kafka:
    """A cluster of `nodes` brokers in KRaft mode; each has `gates` gated listeners. `properties` are the brokers', and win."""

    version = CURRENT
    broker_class = Broker

    def __init__(self, nodes=1, gates=0, properties=None, folder=None):
        self.temporary = None if folder else temporary_folder("kafka")
        self.folder = pathlib.Path(folder or self.temporary.name)
        self.brokers = [self.broker_class(node, gates, self.folder) for node in range(1, nodes + 1)]
        self.prepare(properties or {})

    @property
    def address(self):
        """Bootstrap addresses of the direct listeners."""
        return ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)

    def gated_address(self, gate):
        """Bootstrap addresses of clients behind fault gate `gate`."""
        return ",".join(f"127.0.0.1:{broker.gate_ports[gate]}" for broker in self.brokers)

    def describe(self):
        return f"Kafka {self.version} ({len(self.brokers)} broker{'s' if len(self.brokers) > 1 else ''})"

    def prepare(self, properties):
        java = f"java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp {shlex.quote(str(jars(self.version)))}/'*'"
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        voters = ",".join(f"{broker.node}@127.0.0.1:{broker.controller_port}" for broker in self.brokers)
        copies = min(len(self.brokers), 3)
        for broker in self.brokers:
            tool = f"{java} -Xshare:auto kafka.tools.StorageTool format -t {cluster_id} -c {shlex.quote(str(broker.properties))}"
            serve = f"exec {java} -Xmx384m -Xms128m kafka.Kafka {shlex.quote(str(broker.properties))}"
            settings = {
                "process.roles": "broker,controller",
                "node.id": broker.node,
                "controller.quorum.voters": voters,
                "controller.listener.names": "CONTROLLER",
                "listeners": f"{broker.listeners(broker.gated_ports)},CONTROLLER://127.0.0.1:{broker.controller_port}",
                "listener.security.protocol.map": broker.protocols("CONTROLLER"),
                "broker.session.timeout.ms": 2000,
                "broker.heartbeat.interval.ms": 500,
                "initial.broker.registration.timeout.ms": 600_000,  # else it ends when the others take a minute to start
                "offsets.topic.replication.factor": copies,
                "transaction.state.log.replication.factor": copies,
                "transaction.state.log.min.isr": min(copies, 2),
                "default.replication.factor": copies,
                "min.insync.replicas": min(copies, 2),
                **properties,
            }
            formatted = shlex.quote(str(broker.data / "meta.properties"))
            broker.configure(settings, ["sh", "-c", f"[ -f {formatted} ] || {tool} || exit 1; {serve}"], len(self.brokers))

    def launch(self):
        for broker in self.brokers:
            broker.launch()
        return self

    def wait_ready(self):
        for broker in self.brokers:
            broker.wait_ready()
            broker.expected = 1  # from now on each is ready by itself, also when the others are down
        return self

    def start(self):
        return self.launch().wait_ready()

    def close(self):
        for broker in self.brokers:
            broker.close()
        if self.temporary:
            self.temporary.cleanup()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


class OldKafka(Kafka):
    """One broker of the oldest version we support, at a ZooKeeper that runs (its address; the broker has a chroot of its own)."""

    version = OLDEST
    broker_class = OldBroker

    def __init__(self, zookeeper_address, gates=0, properties=None, folder=None):
        self.zookeeper_address = zookeeper_address
        super().__init__(1, gates, properties, folder)

    def prepare(self, properties):
        (broker,) = self.brokers
        logging = broker.folder / "log4j.properties"
        logging.write_text(
            "log4j.rootLogger=INFO, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.out.layout=org.apache.log4j.PatternLayout\nlog4j.appender.out.layout.ConversionPattern=%d %p %m%n\n"
        )
        settings = {
            "broker.id": broker.node,
            "zookeeper.session.timeout.ms": 4000,  # a killed broker can come back only when its session is gone
            "zookeeper.connection.timeout.ms": 120_000,  # else it is the session's, which a busy machine exceeds
            "zookeeper.connect": f"{self.zookeeper_address}/kafka-{uuid.uuid4().hex[:8]}",
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            **properties,
        }
        broker.configure(
            settings,
            ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j.configuration=file:{logging}",
             "-cp", f"{jars(self.version)}/*", "kafka.Kafka", broker.properties],
            1,
        )
