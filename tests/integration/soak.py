"""Hundreds of random faults over three nodes while records flow and an operator pauses, resumes and schedules.

Run: ./test.sh soak, or /usr/bin/python3 -m pytest -s tests/integration/soak.py --faults 1000. FERMATA_SEED replays the choices of a run.

At the end, when all is healed: no record is lost, the order per key was kept, every location is as its last acknowledged command
wants it (so no schedule was forgotten; that none fired twice or late shows all along, as it would undo a later command)."""
import calendar
import collections
import heapq
import http.client
import json
import os
import random
import threading
import time

import pytest

from cluster import SESSION_SECONDS, Cluster
from daemon import wait_until
from process import free_port
from serving import serving

LOCATIONS = ("left", "right", "timed")
JOURNAL = {"keys": 24, "per_poll": 5, "period_ms": 25}
FAULT_PAUSE_SECONDS = (0.3, 1.5)  # from one fault to the next
FAULT_SECONDS = (0.2, 2.5 * SESSION_SECONDS)
LATE_SECONDS = 20.0  # how long a command without an answer, or without one from the store, may still be carried out
ANSWER_SECONDS = 8.0
SETTLE_SECONDS = 120.0


class Faults:
    """Draws faults, injects them, and takes each back after its time. One at a time per target; several at once in all."""

    def __init__(self, cluster, rng):
        self.cluster, self.servers, self.rng = cluster, cluster.servers, rng
        self.began = time.monotonic()
        self.healing = []  # heap of (when, number, target, how to heal)
        self.hurt = set()  # targets with a fault
        self.down = set()  # nodes that we ended or froze
        self.counts = collections.Counter()
        self.history = []

    def draw(self):
        """@return (what, target, inject, heal) of a target that is well, or None."""
        kind = self.rng.choices(
            ["gate", "all-gates", "kill", "freeze", "leave", "redis", "zookeeper", "broker"], [40, 8, 12, 12, 8, 6, 6, 8]
        )[0]
        node = self.rng.choice(self.cluster.nodes)
        server = self.rng.choice(["redis", "zookeeper", "kafka"])
        if kind == "gate":
            return self.gate_fault((node.id, server), node.gates(server), f"{node.id}-{server}")
        if kind == "all-gates":
            return self.gate_fault((server,), self.servers.gates_of(server), f"all-{server}")
        if kind == "freeze":
            return kind, (node.id,), lambda: self.take_down(node, node.freeze), lambda: self.bring_up(node, node.thaw)
        if kind in ("kill", "leave"):
            end = node.kill if kind == "kill" else node.process.terminate
            return kind, (node.id,), lambda: self.take_down(node, end), lambda: self.relaunch(node)
        process = self.servers.kafka.brokers[0] if kind == "broker" else getattr(self.servers, kind)
        how = self.rng.choice([process.kill9, process.pause])
        return f"{kind}-{how.__name__}", (kind,), how, lambda: process.resume() if process.running() else process.launch()

    def gate_fault(self, target, gates, name):
        how = self.rng.choice(["cut", "half-open", "slow", "reset"])
        inject = {
            "cut": gates.cut,
            "half-open": gates.half_open,
            "slow": lambda delay=self.rng.randrange(1, 200): gates.slow(delay),
            "reset": lambda count=self.rng.randrange(0, 5000), side=self.rng.choice(["server", "client"]): gates.reset_after(count, side),
        }[how]
        return f"{how} {name}", target, inject, gates.passing

    def take_down(self, node, how):
        self.down.add(node)
        how()

    def bring_up(self, node, how):
        how()
        self.down.discard(node)

    def relaunch(self, node):
        if node.process.poll() is None:  # it leaves, but slowly
            node.kill()
        self.bring_up(node, node.launch)

    def overlaps(self, target):
        """Two faults of one target, or of all gates of a server and one of them, may not meet: healing one would heal the other."""
        return any(other in (target, target[-1:]) or other[-1:] == target for other in self.hurt)

    def inject(self):
        fault = None
        while fault is None or self.overlaps(fault[1]):
            fault = self.draw()
            if len(self.hurt) > 4:
                self.heal_until(time.monotonic() + 0.1)
        what, target, inject, heal = fault
        lasts = self.rng.uniform(*FAULT_SECONDS) ** 2 / FAULT_SECONDS[1]  # most are short
        self.hurt.add(target)
        self.counts[what.split()[0]] += 1
        self.note(f"{what} {' '.join(target)} for {lasts:.1f} s")
        inject()
        heapq.heappush(self.healing, (time.monotonic() + lasts, len(self.history), target, heal))

    def heal_until(self, deadline):
        """Sleeps until then, healing what falls due."""
        while True:
            now = time.monotonic()
            if self.healing and self.healing[0][0] <= now:
                _, _, target, heal = heapq.heappop(self.healing)
                heal()
                self.hurt.discard(target)
            elif now >= deadline:
                return
            else:
                time.sleep(max(0.0, min(deadline, self.healing[0][0] if self.healing else deadline) - now))

    def check_nodes(self):
        for node in self.cluster.nodes:
            code = None if node in self.down else node.process.poll()
            assert code is None, f"{node.id} ended by itself ({code}):\n{node.log()[-3000:]}"

    def note(self, text):
        self.history.append(f"{time.monotonic() - self.began:7.2f} {text}")

    def run(self, count):
        for _ in range(count):
            self.inject()
            self.heal_until(time.monotonic() + self.rng.uniform(*FAULT_PAUSE_SECONDS))
            self.check_nodes()
        while self.healing:
            self.heal_until(self.healing[0][0])


class Expectation:
    """What a location's document may say: (paused, date) pairs, given what was asked and answered."""

    def __init__(self):
        self.possible = {(False, None)}
        self.late = []  # (until when, state): asked for without a sure answer, so it may still come

    def acknowledged(self, state):
        self.possible = {state}

    def unanswered(self, state):
        self.possible.add(state)
        self.late.append((time.monotonic() + LATE_SECONDS, state))

    def refused(self, state):
        """By a node that knew better than to try, if only a moment too late."""
        self.possible.add(state)

    def allows(self, seen):
        """Whether the document may say `seen`. What was seen is the truth from then on."""
        self.late = [entry for entry in self.late if entry[0] > time.monotonic()]
        allowed = self.possible | {state for _, state in self.late}
        # Clocks are one here, but the date is milliseconds and the firing takes its time: it may have fired from its date on.
        fired = {(False, None) for paused, date in allowed if paused and date is not None and date <= time.time() + 0.05}
        if seen not in allowed | fired:
            return False
        self.possible = {seen}
        return True

    def __str__(self):
        return f"{sorted(map(str, self.possible))}, late {[str(state) for _, state in self.late]}"


class Operator(threading.Thread):
    """Steers random locations at random nodes that are up, one command after the other, and holds ZooKeeper against its memory."""

    def __init__(self, cluster, faults, rng):
        super().__init__()
        self.cluster, self.faults, self.rng = cluster, faults, rng
        self.expected = {location: Expectation() for location in LOCATIONS}
        self.ready = threading.Event()  # it has its client, or never will
        self.ending = threading.Event()
        self.counts = collections.Counter()
        self.problem = None

    def run(self):
        try:
            with self.cluster.zookeeper() as client:
                self.ready.set()
                while not self.ending.wait(self.rng.uniform(0.05, 0.4)):
                    location = self.rng.choice(LOCATIONS)
                    self.check(client, location)
                    self.act(location)
        except Exception as problem:  # shown by the test
            self.problem = problem
            self.ready.set()

    def stored(self, client, location):
        """(paused, date) as ZooKeeper has it; None if it cannot be asked."""
        try:
            document = json.loads(client.get_async(f"/backbeat/probe/state/{location}").get(timeout=3)[0])
        except Exception:  # kazoo has a dozen ways to say that it is not connected
            return None
        date = document.get("scheduledResume")
        return document["paused"], parse(date) if date else None

    def check(self, client, location):
        seen = self.stored(client, location)
        if seen is None:
            return
        assert self.expected[location].allows(seen), f"{location} is {seen}; expected {self.expected[location]}"
        self.counts["checks"] += 1

    def act(self, location):
        up = [node for node in self.cluster.nodes if node not in self.faults.down]
        if not up:
            return
        node = self.rng.choice(up)
        verb = self.rng.choices(["pause", "resume", "schedule", "unschedule"], [4, 4, 4, 1])[0]
        base = f"/api/v1/services/probe/locations/{location}"
        date = round(time.time() + self.rng.uniform(1, 12), 3)
        try:
            if verb == "schedule":
                answer = node.request("PUT", base + "/schedule", {"at": format_date(date)})
            elif verb == "unschedule":
                answer = node.request("DELETE", base + "/schedule")
            else:
                answer = node.post(f"{base}/{verb}")
        except (OSError, http.client.HTTPException):
            answer = None
        self.remember(location, verb, date, answer)

    def remember(self, location, verb, date, answer):
        outcome = "unanswered" if answer is None else str(answer.status)
        self.counts[f"{verb} {outcome}"] += 1
        self.faults.note(f"  {verb} {location} {date if verb == 'schedule' else ''}: {outcome}")
        expected = self.expected[location]
        if answer is not None and answer.status == 200:
            desired = answer.json["locations"][0]["desired"]
            at = desired["scheduledResume"]
            expected.acknowledged((desired["paused"], parse(at) if at else None))
        elif answer is None or answer.status == 503:
            wanted = {"pause": (True, None), "resume": (False, None), "schedule": (True, date), "unschedule": (True, None)}[verb]
            # Any other 503 may be about a write whose answer was lost, or that a frozen store is going to read yet.
            refused = answer is not None and "not usable" in answer.text
            expected.refused(wanted) if refused else expected.unanswered(wanted)
        else:
            passed = answer.status == 400 and date <= time.time()  # it waited until its date had passed, and changed nothing
            assert verb == "schedule" and (answer.status == 409 or passed), f"{verb} {location}: {answer.status} {answer.text}"


def format_date(seconds):
    millis = round(seconds * 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(millis // 1000)) + f".{millis % 1000:03}Z"


def parse(text):
    whole, fraction = text.rstrip("Z").split(".")
    return round(calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + int(fraction) / 1000, 3)


def settle(cluster):
    cluster.servers.heal()
    for node in cluster.nodes:
        node.request_seconds = 90  # of waiting, from here on
        node.wait_address()
    cluster.wait_ready(SETTLE_SECONDS)


def check_desired_states(cluster, operator):
    """Every location as it was left; what fell due has fired; and all nodes do what is desired."""
    with cluster.zookeeper() as client:
        for location in LOCATIONS:
            expected = operator.expected[location]
            wait_until(lambda: not expected.late or expected.late[-1][0] < time.monotonic(), LATE_SECONDS + 1)

            def settled():
                seen = operator.stored(client, location)
                return None if seen is None or (seen[0] and seen[1] and seen[1] < time.time() - 5) else seen

            paused, date = wait_until(settled, 60, f"the schedule of {location}")
            operator.check(client, location)
            if not date:
                cluster.wait_state(location, "paused" if paused else "running", [node.id for node in cluster.nodes], SETTLE_SECONDS)


def check_records(cluster):
    for location in LOCATIONS:
        cluster.resume(location, query="?wait=60s")
    reached = max(map(int, cluster.done(LOCATIONS[0])))
    cluster.pause("right", query="?wait=60s")
    cluster.wait_state("right", "paused", [node.id for node in cluster.nodes])
    paused_at = time.time_ns()
    for location in LOCATIONS:
        if location != "right":
            cluster.wait_done(location, range(reached + 1), SETTLE_SECONDS)
    assert [line for line in cluster.lines() if line.location == "right" and line.at > paused_at] == []
    cluster.resume("right", query="?wait=60s")
    cluster.wait_done("right", range(reached + 1), SETTLE_SECONDS)
    cluster.check_order()
    return reached + 1


@pytest.fixture
def soaked(tmp_path):
    def adapt(config):
        config["rest"]["port"] = free_port()
        config["redis"]["ping_interval"] = "500ms"

    with serving() as servers:
        settings = {"journal": JOURNAL, "delay_ms": 1, "retry_every": 50}
        cluster = Cluster(servers, tmp_path, locations=LOCATIONS, settings=settings, adapt=adapt)
        for node in cluster.nodes:
            node.request_seconds = ANSWER_SECONDS
        try:
            yield cluster.start()
        finally:
            cluster.close()


def test_random_faults_lose_nothing(soaked, request, capsys):
    count = request.config.getoption("--faults")
    seed = int(os.environ.get("FERMATA_SEED") or random.SystemRandom().randrange(2**32))
    with capsys.disabled():
        print(f"\n{count} faults; replay with FERMATA_SEED={seed}")
    faults = Faults(soaked, random.Random(seed))
    operator = Operator(soaked, faults, random.Random(seed + 1))
    operator.start()
    operator.ready.wait(60)
    try:
        faults.run(count)
    finally:
        operator.ending.set()
        operator.join(60)
        (soaked.folder / "history.txt").write_text("\n".join(faults.history))
        print("\n".join(faults.history))
    settle(soaked)
    if operator.problem:
        raise operator.problem
    check_desired_states(soaked, operator)
    records = check_records(soaked)
    with capsys.disabled():
        print(f"faults {dict(faults.counts)}\ncommands {dict(sorted(operator.counts.items()))}")
        print(f"{records} records at {len(LOCATIONS)} locations")
