"""Runs the tutorials exactly as they are written."""
import re
import subprocess

import pytest

from daemon import ROOT

FENCE = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted((ROOT / "docs/tutorials").glob("[a-z]*.md"))


def script(page):
    """One bash script of the page's blocks: `file=` blocks are written where the shell then stands, `sh` blocks are run."""
    lines = ["set -eo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for language, file, body in FENCE.findall(page.read_text()):
        if file:
            lines.append(f"cat > {file} <<'END_OF_BLOCK'\n{body}END_OF_BLOCK")
        elif language == "sh":
            lines.append(body)
    return "\n".join(lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_works_as_written(page):
    text = script(page)
    assert "fermata serve" in text, f"{page} has no block that starts the daemon"
    result = subprocess.run(["bash", "-c", text], cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stdout + result.stderr
