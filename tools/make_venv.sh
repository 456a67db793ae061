#!/bin/sh
# Make a virtual environment with the first Python that is new enough.
set -eu
for python in ${PYTHON:-} python3 python3.11 python3.12 python3.13 python3.14; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "Making $1 with $("$python" --version) ..."
        exec "$python" -m venv --clear "$1"
    fi
done
echo "omo_core needs Python 3.11 or newer: install one, or name it with 'make PYTHON=/path/to/python3'." >&2
exit 1
