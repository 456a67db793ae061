"""Ends a PostgreSQL server and deletes its folder when the process that started it is gone; run as a script.

Standard input is a pipe from the starting process, which writes the server's process id at each start and 0 at each
stop. The pipe closes when that process ends, however it ends, SIGKILL included.
"""

import os
import shutil
import signal
import sys
import time


def _is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def end_server(process_id: int, patience_s: float = 10.0) -> None:
    """Stop at once; the data is about to be deleted."""
    for sign in (signal.SIGQUIT, signal.SIGKILL):
        try:
            os.kill(process_id, sign)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience_s
        while _is_running(process_id) and time.monotonic() < deadline:
            time.sleep(0.05)


def main(folder: str) -> None:
    process_id = 0
    for line in sys.stdin:
        process_id = int(line)
    if process_id:
        end_server(process_id)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
