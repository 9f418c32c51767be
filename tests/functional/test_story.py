"""The main job, as an operator lives it: replicate, pause, hold, restart, schedule, resume."""
import subprocess
import time

from daemon import FERMATA, ROOT, wait_until


def test_objects_reach_both_targets_with_time_and_metadata(daemon, workspace):
    workspace.put("photos/a.txt", "first")
    source = workspace.source / "photos/a.txt"
    subprocess.run(["setfattr", "-n", "user.colour", "-v", "red", source], check=True)
    for location, target in workspace.targets.items():
        wait_until(lambda: workspace.replicated(location, "photos/a.txt", "first"), what=f"the copy in {location}")
        copy = target / "photos/a.txt"

        def colour():
            shown = subprocess.run(["getfattr", "--only-values", "-n", "user.colour", copy], capture_output=True, text=True)
            return shown.stdout == "red"

        wait_until(colour, what="the user metadata")
        assert copy.stat().st_mtime_ns == source.stat().st_mtime_ns


def test_a_paused_location_holds_and_the_other_goes_on(daemon, workspace):
    answer = daemon.request("POST", "/api/v1/services/crr/locations/paris/pause?wait=60s", {"reason": "maintenance"})
    assert answer.status == 200 and answer.json["converged"] is True, answer.text
    workspace.put("b/held.txt", "held")
    wait_until(lambda: workspace.replicated("london", "b/held.txt", "held"))
    wait_until(lambda: daemon.location("crr", "paris")["nodes"][0]["lag"] > 0)
    assert not (workspace.targets["paris"] / "b/held.txt").exists()
    shown = daemon.location("crr", "paris")
    assert shown["state"] == "paused" and shown["desired"]["reason"] == "maintenance"
    assert daemon.get("/_/crr/status").json == {"paris": "disabled", "london": "enabled"}

    daemon.cli("resume", "crr", "paris", "--wait", "60s")
    wait_until(lambda: workspace.replicated("paris", "b/held.txt", "held"))


def test_a_pause_survives_kill_and_nothing_is_lost(daemon, workspace):
    daemon.cli("pause", "crr", "paris", "--wait", "60s")
    for number in range(50):
        workspace.put(f"b/{number}", f"content {number}")
    wait_until(lambda: workspace.replicated("london", "b/49", "content 49"))
    daemon.restart()
    assert daemon.get("/_/crr/status/paris").json == {"paris": "disabled"}
    workspace.put("b/late", "late")
    wait_until(lambda: workspace.replicated("london", "b/late", "late"))
    assert list(workspace.targets["paris"].rglob("*")) == []
    daemon.cli("resume", "crr", "paris")
    for number in range(50):
        wait_until(lambda: workspace.replicated("paris", f"b/{number}", f"content {number}"))
    wait_until(lambda: workspace.replicated("paris", "b/late", "late"))


def test_changes_made_while_it_was_down_are_found(daemon, workspace):
    workspace.put("b/kept", "1")
    workspace.put("b/gone", "1")
    for location in workspace.targets:
        wait_until(lambda: workspace.replicated(location, "b/gone", "1") and workspace.replicated(location, "b/kept", "1"))
    daemon.kill()
    workspace.put("b/kept", "2")
    workspace.put("b/new", "2")
    (workspace.source / "b/gone").unlink()
    daemon.start()
    for location, target in workspace.targets.items():
        wait_until(lambda: workspace.replicated(location, "b/kept", "2") and workspace.replicated(location, "b/new", "2"))
        wait_until(lambda: not (target / "b/gone").exists())


def test_a_scheduled_resume_fires_even_if_it_fell_due_while_nothing_ran(daemon, workspace):
    daemon.cli("pause", "crr", "all", "--wait", "60s")
    daemon.cli("schedule", "crr", "paris", "--after", "6s")
    date = daemon.get("/_/crr/resume").json
    assert date["paris"].endswith("Z") and date["london"] == "none"
    daemon.kill()
    due = time.monotonic() + 6.5
    workspace.put("b/x", "x")
    wait_until(lambda: time.monotonic() > due)
    daemon.start()
    wait_until(lambda: workspace.replicated("paris", "b/x", "x"))
    assert daemon.get("/_/crr/status").json == {"paris": "enabled", "london": "disabled"}
    assert daemon.get("/_/crr/resume/paris").json == {"paris": "none"}
    actions = [entry["action"] for entry in daemon.get("/api/v1/audit").json["entries"]]
    assert actions.count("scheduled-resume") == 1


def test_the_state_of_an_object_is_shown(daemon, workspace):
    daemon.cli("pause", "crr", "london", "--wait", "60s")
    workspace.put("b/o.txt", "object")
    wait_until(lambda: workspace.replicated("paris", "b/o.txt", "object"))

    def states():
        shown = daemon.get("/api/v1/services/crr/objects/b/o.txt")
        return shown.status == 200 and {one["location"]: one["status"] for one in shown.json["locations"]}

    wait_until(lambda: states() == {"paris": "COMPLETED", "london": "PENDING"}, what=f"the states (now {states()})")
    text = daemon.cli("crr", "object", "b/o.txt").stdout
    assert "COMPLETED" in text and "PENDING" in text
    daemon.cli("crr", "object", "b/none", expect=4)


def test_a_location_removed_from_the_configuration_keeps_its_state(daemon, workspace):
    daemon.cli("pause", "crr", "paris", "--reason", "long maintenance", "--wait", "60s")
    paris = workspace.config["extensions"][0]["locations"].pop(0)
    daemon.restart(how="terminate")
    assert daemon.get("/_/crr/status").json == {"london": "enabled"}
    assert daemon.get("/_/crr/status/paris").status == 404
    workspace.put("b/meanwhile", "m")
    wait_until(lambda: workspace.replicated("london", "b/meanwhile", "m"))
    workspace.config["extensions"][0]["locations"].insert(0, paris)
    daemon.restart(how="terminate")
    assert daemon.location("crr", "paris")["desired"]["reason"] == "long maintenance"
    assert daemon.get("/_/crr/status").json == {"paris": "disabled", "london": "enabled"}


def test_the_demo_tells_the_whole_story():
    result = subprocess.run([ROOT / "tests/functional/demo.sh", FERMATA], capture_output=True, text=True, timeout=400)
    assert result.returncode == 0, result.stdout + result.stderr
