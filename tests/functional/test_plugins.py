"""Plugins from outside: what they export, and one built out of tree with the other compiler against the installed SDK."""
import os
import shutil
import subprocess

import pytest

from daemon import BUILD, FERMATA, PLUGINS, ROOT, Daemon, wait_until

SHIPPED = sorted(PLUGINS.glob("*.so"))


def exported(file):
    listing = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", file], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in listing.stdout.splitlines()]


@pytest.mark.parametrize("plugin", SHIPPED, ids=lambda path: path.stem)
def test_a_plugin_exports_exactly_its_entry(plugin):
    assert exported(plugin) == ["fermata_plugin_entry"]


@pytest.mark.parametrize("plugin", SHIPPED, ids=lambda path: path.stem)
def test_a_plugin_passes_the_check(plugin):
    result = subprocess.run([FERMATA, "plugin", "check", plugin], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr


def install_sdk(prefix):
    subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True, capture_output=True, timeout=300)


def build_out_of_tree(source, build, prefix, compiler):
    c, cxx = {"clang": ("clang-14", "clang++-14"), "gcc": ("gcc", "g++")}[compiler]
    configure = ["cmake", "-S", source, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_COMPILER={c}",
                 f"-DCMAKE_CXX_COMPILER={cxx}", "-DCMAKE_BUILD_TYPE=Release"]
    environment = {**os.environ, "CMAKE_CXX_COMPILER_LAUNCHER": shutil.which("ccache") or ""}
    for command in (configure, ["cmake", "--build", build]):
        result = subprocess.run(command, capture_output=True, text=True, timeout=1800, env=environment)
        assert result.returncode == 0, result.stdout + result.stderr


def test_hello_built_out_of_tree_with_the_other_compiler_runs(workspace):
    prefix = workspace.folder / "prefix"
    install_sdk(prefix)
    assert (prefix / "bin/fermata").exists() and (prefix / "lib/fermata/plugins/crr.so").exists()
    source = workspace.folder / "hello"
    shutil.copytree(ROOT / "sdk/examples/hello", source)
    build_out_of_tree(source, workspace.folder / "hello-build", prefix, "clang")
    plugin = next((workspace.folder / "hello-build").rglob("hello.so"))
    assert subprocess.run([FERMATA, "plugin", "check", plugin], timeout=300).returncode == 0
    workspace.config["extensions"] = [
        {"name": "hello", "plugin": str(plugin), "settings": {"greeting": "good morning"}, "locations": [{"name": "here"}]}
    ]
    with Daemon(workspace) as daemon:
        wait_until(lambda: daemon.location("hello", "here")["state"] == "running")
        answer = daemon.get("/api/v1/services/hello/greetings")
        assert answer.status == 200, answer.text


def test_the_shipped_crr_builds_out_of_tree_against_the_installed_sdk(workspace):
    prefix = workspace.folder / "prefix"
    install_sdk(prefix)
    source = workspace.folder / "plugins"
    shutil.copytree(ROOT / "plugins", source)
    build_out_of_tree(source / "crr", workspace.folder / "crr-build", prefix, "gcc")
    plugin = next((workspace.folder / "crr-build").rglob("crr.so"))
    workspace.config["extensions"][0]["plugin"] = str(plugin)
    with Daemon(workspace) as daemon:
        workspace.put("b/x", "x")
        wait_until(lambda: workspace.replicated("paris", "b/x", "x"))
        assert os.path.samefile(daemon.get("/api/v1/plugins").json["plugins"][0]["path"], plugin)
