"""10,000 files change while pause, resume and kill -9 happen at random moments. Seeded: FERMATA_SEED replays a run."""
import os
import threading

from daemon import Daemon, wait_until

FILES = 10_000
OVERWRITTEN = FILES // 5
DELETED = FILES // 20


def entries(root):
    """(path below root, DirEntry) of every file; misses what vanishes meanwhile."""
    stack = [root]
    while stack:
        try:
            listing = list(os.scandir(stack.pop()))
        except FileNotFoundError:
            continue
        for entry in listing:
            if entry.is_dir(follow_symlinks=False):
                stack.append(entry.path)
            elif ".fermata-tmp" not in entry.name:
                yield os.path.relpath(entry.path, root), entry


def read_each(root, read):
    """{path below root: read(entry)}, without the files that vanish meanwhile."""
    found = {}
    for name, entry in entries(root):
        try:
            found[name] = read(entry)
        except FileNotFoundError:
            continue
    return found


def contents(root):
    return read_each(root, lambda entry: open(entry.path, "rb").read())


def fingerprint(root):
    """Changes whenever any file below root is written, replaced or removed."""
    return read_each(root, lambda entry: (entry.stat().st_ino, entry.stat().st_ctime_ns))


class Writer(threading.Thread):
    """Writes every file, then overwrites and deletes some, in a seeded order. A file's content begins with its version."""

    def __init__(self, workspace, rng):
        super().__init__()
        self.workspace = workspace
        names = [f"bucket-{number % 7}/dir {number % 31}/file-{number}" for number in range(FILES)]
        second = rng.sample(names, OVERWRITTEN)
        self.steps = [("put", name, 1) for name in names]
        for name in second:
            self.steps.insert(rng.randrange(self.steps.index(("put", name, 1), max(0, names.index(name))) + 1, len(self.steps) + 1), ("put", name, 2))
        self.steps += [("delete", name, 3) for name in rng.sample(names, DELETED)]
        self.filler = os.urandom(3000)
        self.failure = None

    def run(self):
        try:
            for action, name, version in self.steps:
                if action == "put":
                    self.workspace.put(name, b"%d\n" % version + self.filler[: hash(name) % 3000])
                else:
                    (self.workspace.source / name).unlink()
        except Exception as error:  # shown by the test
            self.failure = error


class Observer(threading.Thread):
    """Reads a target again and again: the version in a file must never go down."""

    def __init__(self, root):
        super().__init__()
        self.root = root
        self.seen = {}
        self.went_back = []
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            for name, entry in entries(self.root):
                try:
                    with open(entry.path, "rb") as file:
                        version = int(file.readline() or b"0")
                except FileNotFoundError:
                    continue
                if version < self.seen.get(name, 0):
                    self.went_back.append(f"{name}: {self.seen[name]} -> {version}")
                self.seen[name] = version


def test_both_targets_end_identical_to_the_source(workspace, rng):
    with Daemon(workspace) as daemon:
        writer = Writer(workspace, rng)
        observers = [Observer(target) for target in workspace.targets.values()]
        for thread in (writer, *observers):
            thread.start()
        held = {}
        rounds = 0
        try:
            while writer.is_alive() or rounds < 12:
                rounds += 1
                act(daemon, workspace, rng, held)
        finally:
            writer.join()
        assert writer.failure is None, writer.failure
        for location in list(held):
            release(daemon, workspace, location, held)
        expected = contents(workspace.source)
        assert len(expected) == FILES - DELETED
        for location, target in workspace.targets.items():
            wait_until(lambda: len(fingerprint(target)) == len(expected), 600, f"all files in {location}")
            wait_until(lambda: contents(target) == expected, 300, f"equality of {location}")
        for observer in observers:
            observer.ended.set()
            observer.join()
        assert [observer.went_back for observer in observers] == [[], []]
        wait_until(lambda: all(node["lag"] == 0 for name in workspace.targets for node in daemon.location("crr", name)["nodes"]), 120, "lag 0")
        assert daemon.terminate() == 0


def act(daemon, workspace, rng, held):
    action = rng.choice(["pause", "pause", "resume", "kill", "wait"])
    location = rng.choice(list(workspace.targets))
    if action == "pause" and location not in held:
        answer = daemon.post(f"/api/v1/services/crr/locations/{location}/pause?wait=60s")
        assert answer.status == 200 and answer.json["converged"], answer.text
        held[location] = fingerprint(workspace.targets[location])
    elif action == "resume" and location in held:
        release(daemon, workspace, location, held)
    elif action == "kill":
        daemon.restart()
    else:
        threading.Event().wait(rng.random())


def release(daemon, workspace, location, held):
    """Before a resume: nothing was delivered since ?wait said paused, also over restarts."""
    assert fingerprint(workspace.targets[location]) == held.pop(location), f"{location} was written to while paused"
    answer = daemon.post(f"/api/v1/services/crr/locations/{location}/resume")
    assert answer.status == 200, answer.text
