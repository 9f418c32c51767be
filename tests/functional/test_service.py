"""The daemon as a service: signals, logs, wrong configurations, broken plugins, exit codes."""
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from daemon import BUILD, FERMATA, PLUGINS, Daemon, wait_until

ZOO = BUILD / "lib/zoo"


def test_sigterm_drains_and_ends_with_zero(daemon):
    began = time.monotonic()
    assert daemon.terminate() == 0
    assert time.monotonic() - began < 25


def test_ctrl_c_ends_it_as_well(daemon):
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.process.wait(60) == 0


def test_a_second_process_is_told_who_holds_the_data_dir(daemon, workspace):
    second = subprocess.run([FERMATA, "serve", "--config", workspace.folder / "fermata.yaml"], capture_output=True, text=True, timeout=90)
    assert second.returncode == 1
    assert str(daemon.process.pid) in second.stderr and str(workspace.data) in second.stderr
    assert daemon.get("/readyz").status == 200


def test_every_problem_of_a_configuration_is_reported_at_once_with_its_line(workspace):
    path = workspace.folder / "wrong.yaml"
    path.write_text(
        "data_dir: x\nrest:\n  prot: 1\n  max_connections: many\nextensions:\n"
        "  - name: crr\n    settings: {source: {type: filesystem, path: /s, colour: red}}\n    locations: [{name: paris, type: filesytem, path: /p}]\n"
    )
    for command in (["config", "check", path], ["serve", "--config", path]):
        result = subprocess.run([FERMATA, *command], capture_output=True, text=True, timeout=90)
        text = result.stdout + result.stderr
        assert result.returncode != 0
        assert f"{path}:3:" in text and "prot" in text and "port" in text
        assert f"{path}:4:" in text
    checked = subprocess.run([FERMATA, "config", "check", path], capture_output=True, text=True, timeout=90)
    assert checked.returncode != 0


def test_settings_that_the_plugin_refuses_are_reported_with_their_line(workspace):
    path = workspace.folder / "wrong.yaml"
    path.write_text(
        f"data_dir: x\nplugin_dir: {PLUGINS}\nextensions:\n  - name: crr\n    settings:\n      source: {{type: filesystem, path: /s}}\n"
        "      colour: red\n    locations:\n      - {name: paris, type: nowhere, path: /p}\n"
    )
    result = subprocess.run([FERMATA, "config", "check", path], capture_output=True, text=True, timeout=90)
    text = result.stdout + result.stderr
    assert result.returncode != 0
    assert f"{path}:7:" in text and "colour" in text
    assert f"{path}:9:" in text


def test_a_secret_comes_from_the_environment_and_is_never_shown(workspace):
    workspace.config["node_id"] = "node-${env:SECRET_PART}"
    with Daemon(workspace, env={"SECRET_PART": "seven"}) as daemon:
        assert daemon.get("/api/v1/nodes").json["nodes"][0]["id"] == "node-seven"
    path = daemon.write_config()
    missing = subprocess.run([FERMATA, "config", "check", path], capture_output=True, text=True, timeout=90)
    assert missing.returncode != 0 and "SECRET_PART" in missing.stdout + missing.stderr


def test_sighup_reopens_the_log_and_takes_over_new_locations(workspace):
    workspace.config["log"] = {"level": "info", "format": "json", "file": str(workspace.folder / "json.log")}
    with Daemon(workspace) as daemon:
        log = workspace.folder / "json.log"
        messages = lambda: [json.loads(line)["message"] for line in log.read_text().splitlines()]  # noqa: E731
        wait_until(lambda: "serving" in messages(), what="the line")
        log.rename(workspace.folder / "json.log.1")
        rome = workspace.folder / "rome"
        rome.mkdir()
        workspace.config["extensions"][0]["locations"].append({"name": "rome", "type": "filesystem", "path": str(rome)})
        daemon.write_config()
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "rome" in daemon.get("/_/crr/status").json)
        assert log.exists()
        workspace.put("b/x", "x")
        wait_until(lambda: (rome / "b/x").exists())

        workspace.config["extensions"][0]["settings"]["colour"] = "red"
        daemon.write_config()
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "colour" in log.read_text())
        assert set(daemon.get("/_/crr/status").json) == {"paris", "london", "rome"}


def test_a_reload_that_the_plugin_refuses_goes_back_and_says_so(workspace):
    with Daemon(workspace) as daemon:
        workspace.config["extensions"][0]["settings"]["rules"] = [{"locations": ["nowhere"]}]
        daemon.write_config()
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "not every extension works as it says" in daemon.log())
        assert "nowhere" in daemon.log() and "goes on with its former configuration" in daemon.log()
        workspace.put("b/x", "x")
        wait_until(lambda: workspace.replicated("paris", "b/x", "x"))


@pytest.mark.parametrize("plugin, words", [("failing_init", "failing_init"), ("no_entry", "fermata_plugin_entry"), ("other_major", "ABI"), ("missing", "missing.so")])
def test_a_broken_plugin_is_shown_as_failed_and_holds_nobody_back(workspace, plugin, words):
    broken = {"name": "zoo", "plugin": str(ZOO / f"{plugin}.so"), "locations": [{"name": "somewhere"}]}
    workspace.config["extensions"].insert(0, broken)
    with Daemon(workspace) as daemon:
        shown = {one["service"]: one for one in daemon.get("/api/v1/plugins").json["plugins"]}
        assert shown["zoo"]["state"] == "failed" and words in shown["zoo"]["error"]
        assert shown["crr"]["state"] == "running"
        assert daemon.location("zoo", "somewhere")["state"] == "failed"
        workspace.put("b/x", "x")
        wait_until(lambda: workspace.replicated("paris", "b/x", "x"))
        assert "failed" in daemon.cli("plugins").stdout
    workspace.config["extensions"][0]["required"] = True
    path = daemon.write_config()
    result = subprocess.run([FERMATA, "serve", "--config", path], capture_output=True, text=True, timeout=90)
    assert result.returncode == 1 and words in result.stderr


def test_two_extensions_of_one_name_are_refused_with_a_sentence(workspace):
    workspace.config["extensions"].append(workspace.crr())
    path = Daemon(workspace, start=False).write_config()
    result = subprocess.run([FERMATA, "config", "check", path], capture_output=True, text=True, timeout=90)
    assert result.returncode != 0 and "crr" in result.stdout + result.stderr


def test_exit_codes_tell_scripts_what_happened(daemon, workspace):
    assert daemon.cli("status").returncode == 0
    daemon.cli("status", "nosuch", expect=4)
    daemon.cli("pause", "crr", "nowhere", expect=4)
    daemon.cli("schedule", "crr", "paris", "--hours", "0", expect=None).returncode != 0
    daemon.cli("schedule", "crr", "paris", "--hours", "1", expect=5)
    daemon.cli("nonsense", expect=None).returncode != 0
    text = json.loads(daemon.cli("--json", "status", "crr").stdout)
    assert text
    daemon.kill()
    daemon.cli("status", expect=3)


def test_a_missing_target_root_is_shown_and_heals(daemon, workspace):
    paris = workspace.targets["paris"]
    shutil.rmtree(paris)
    workspace.put("b/x", "x")
    wait_until(lambda: workspace.replicated("london", "b/x", "x"))
    wait_until(lambda: daemon.location("crr", "paris")["state"] == "degraded", 60, "degraded")
    assert not paris.exists()
    paris.mkdir()
    wait_until(lambda: workspace.replicated("paris", "b/x", "x"), 60)
    wait_until(lambda: daemon.location("crr", "paris")["state"] == "running", 60, "running")


def test_idle_it_is_small_and_starts_at_once(workspace):
    began = time.monotonic()
    with Daemon(workspace) as daemon:
        print(f"start to ready: {time.monotonic() - began:.3f} s")
        resident = int(next(line for line in open(f"/proc/{daemon.process.pid}/status") if line.startswith("VmRSS")).split()[1])
        print(f"idle memory: {resident / 1024:.1f} MiB")
        assert resident < 80 * 1024
        assert len(os.listdir(f"/proc/{daemon.process.pid}/task")) < 40 + os.cpu_count()
