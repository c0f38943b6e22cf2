"""``windows_agent.py REQUEST``: what an agent of Jenkins with Windows does for the step ``bat``; end with its exit code."""

import json
import subprocess
import sys
from pathlib import Path

request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
command = ["cmd", "/c", "call", request["script"]]
done = subprocess.run(
    command,
    cwd=request["folder"],
    env=request["environment"],
    check=False,
    capture_output=True,
    stdin=subprocess.DEVNULL,
)
sys.stdout.buffer.write(done.stdout + done.stderr)
sys.exit(done.returncode)
