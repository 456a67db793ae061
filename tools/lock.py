"""Write requirements/*.txt: every package for every platform with its hashes, and no address to fetch it from."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = [
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-config",  # a developer's own indexes must not leak into everybody's lock
    "--no-annotate",
    "--no-header",
    "--quiet",
    "--group=build",
]
DEMO_EXTRAS = ["cli", "postgres", "report", "demo"]


def compile_lock(output: str, *arguments: str) -> None:
    """Resolve pyproject.toml into requirements/<output>, keeping the versions it already names."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("UV_", "PIP_"))}
    command = ["uv", "pip", "compile", "pyproject.toml", *OPTIONS, *arguments, "-o", f"requirements/{output}"]
    subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    compile_lock("dev.txt", "--extra=dev", *sys.argv[1:])
    # The demo runs on exactly the versions that the tests ran on.
    compile_lock("run.txt", *[f"--extra={extra}" for extra in DEMO_EXTRAS], "--constraint=requirements/dev.txt")
