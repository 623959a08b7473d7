"""The version before this one: its own source tree, run with the present dependencies."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.e2e.process import ROOT

REVISION = Path(__file__).with_name("last_release.txt")


@pytest.fixture(scope="session")
def version_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where its packages are. `last_release.txt` names the commit."""
    commit = REVISION.read_text().strip()
    try:
        known = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "--show-toplevel", f"{commit}^{{tree}}"],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("git is not installed: the version before cannot be had")
    if known.returncode:
        pytest.skip(
            f"the commit {commit[:12]} of tests/upgrade/last_release.txt is not here (an exported tree, or a"
            " shallow clone: `git fetch --unshallow`)"
        )
    if Path(known.stdout.splitlines()[0]) != ROOT:
        pytest.skip("this tree lies in somebody else's repository: the version before is not in it")
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit], stdout=subprocess.PIPE, check=True
    ).stdout
    tree = tmp_path_factory.mktemp("version-before")
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        # Python before 3.11.4 has no filters; it is our own commit.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(tree)
    return tree
