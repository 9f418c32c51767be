"""The layering law: who may include what. docs/explanation/architecture.md explains it."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# core's folders, lowest first; a folder includes only strictly lower layers, and itself.
LAYERS = [
    {"base"},
    {"ports", "config", "telemetry"},
    {"control", "pipeline"},
    {"adapters/embedded", "adapters/zookeeper", "adapters/redis", "adapters/kafka", "plugin", "rest", "console"},
    {"app"},
]
RANK = {folder: rank for rank, layer in enumerate(LAYERS) for folder in layer}

# The same within plugins that have rooms; what stands beside the rooms wires them, and may include all.
PLUGIN_LAYERS = {
    "common": [{"text"}, {"http"}, {"s3"}],
    "crr": [{"model"}, {"files", "work"}, {"store"}, {"replication"}, {"journal"}, {"routes"}],
}

# One vendor, one home; Asio serves the two that move bytes themselves.
VENDORS = {
    r"hiredis/": "core/adapters/redis",
    r"librdkafka/": "core/adapters/kafka",
    r"zookeeper/": "core/adapters/zookeeper",
    r"sqlite3\.h": "core/adapters/embedded",
    r"yaml-cpp/": "core/config",
    r"spdlog/": "core/telemetry",
    r"prometheus/": "core/telemetry",
    r"boost/beast": "core/rest",
    r"boost/asio": ("core/rest", "core/adapters/redis"),
    r"boost/dll": "core/plugin",
    r"valijson/": "core/plugin",
    r"(libelf|gelf)\.h": "core/plugin",
    r"CLI/": "core/app",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)


def sources(*folders):
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix in {".hpp", ".cpp", ".h", ".c", ".in"} and "CMakeLists" not in file.name:
                yield file


def includes(file):
    return [(kind == '"', target) for kind, target in INCLUDE.findall(file.read_text(encoding="utf-8"))]


def room(relative):
    """The layer-bearing folder of a path below core/."""
    parts = pathlib.PurePosixPath(relative).parts
    return "/".join(parts[:2]) if parts[0] == "adapters" else parts[0]


def test_core_includes_only_lower_layers():
    wrong = []
    for file in sources("core"):
        own = room(file.relative_to(ROOT / "core").as_posix())
        assert own in RANK, f"{file}: the folder '{own}' has no layer: add it to LAYERS"
        for ours, target in includes(file):
            if not ours or "/" not in target:
                continue
            other = room(target)
            assert other in RANK, f"{file} includes \"{target}\", which is no folder of core"
            if other != own and RANK[other] >= RANK[own]:
                wrong.append(f"{file.relative_to(ROOT)} (layer {RANK[own]}) includes {target} (layer {RANK[other]})")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("plugin", PLUGIN_LAYERS)
def test_plugins_include_only_lower_layers(plugin):
    rank = {folder: at for at, layer in enumerate(PLUGIN_LAYERS[plugin]) for folder in layer}
    home = ROOT / "plugins" / plugin
    assert {folder.name for folder in home.iterdir() if folder.is_dir()} == rank.keys()
    wrong = []
    for own in rank:
        for file in sources(f"plugins/{plugin}/{own}"):
            for ours, target in includes(file):
                other = target.split("/")[0]
                if ours and (home / target).exists() and other != own and rank.get(other, len(rank)) >= rank[own]:
                    wrong.append(f"{file.relative_to(ROOT)} includes {target}")
    assert not wrong, "\n".join(wrong)


def test_core_never_includes_plugins_and_plugins_never_include_core():
    wrong = []
    for file in sources("plugins"):
        plugin = file.relative_to(ROOT / "plugins").parts[0]
        for ours, target in includes(file):
            inside = (ROOT / "plugins" / plugin / target).exists() or (file.parent / target).exists()
            common = (ROOT / "plugins/common" / target).exists()
            if ours and not inside and not common:
                wrong.append(f"{file.relative_to(ROOT)} includes \"{target}\", which is neither its own nor plugins/common's")
    for file in sources("core"):
        wrong += [f"{file.relative_to(ROOT)} includes {t}" for _, t in includes(file) if t.startswith("plugins/")]
    assert not wrong, "\n".join(wrong)


def test_sdk_includes_nothing_of_ours_but_itself():
    wrong = []
    for file in sources("sdk/include"):
        for ours, target in includes(file):
            if ours or target.startswith(("boost/", "spdlog/", "fmt/")):
                wrong.append(f"{file.relative_to(ROOT)} includes {target}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("pattern", VENDORS)
def test_vendor_headers_stay_in_their_home(pattern):
    wrong = []
    for file in sources("core"):
        homes = VENDORS[pattern] if isinstance(VENDORS[pattern], tuple) else (VENDORS[pattern],)
        for _, target in includes(file):
            if re.match(pattern, target) and not file.relative_to(ROOT).as_posix().startswith(tuple(home + "/" for home in homes)):
                wrong.append(f"{file.relative_to(ROOT)} includes {target}, which belongs to {' and '.join(homes)}")
    assert not wrong, "\n".join(wrong)


def test_only_the_application_constructs_adapters():
    wrong = [
        f"{file.relative_to(ROOT)} includes {target}"
        for file in sources("core")
        for _, target in includes(file)
        if target.startswith("adapters/")
        and not file.relative_to(ROOT).as_posix().startswith(("core/adapters/", "core/app/application."))
    ]
    assert not wrong, "\n".join(wrong)
