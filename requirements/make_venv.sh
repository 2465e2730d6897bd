#!/bin/sh
# Makes, or brings up to date, the environment named by $1 from dev.txt. PYTHON chooses the Python.
set -eu
here=$(dirname "$0")
venv=$1

is_usable() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for name in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if is_usable "$name"; then
            echo "$name"
            return
        fi
    done
    echo "make: no usable Python: Sentinels needs Python 3.11 or newer with its venv module." >&2
    echo "Install one (on Debian: python3 and python3-venv), or name it: make PYTHON=/path/to/python3" >&2
    exit 1
}

if ! is_usable "$venv/bin/python"; then
    python=$(find_python)
    echo "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null

pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"
}

pip install --require-hashes -r "$here/bootstrap.txt"
echo "installing the requirements; the first time takes a minute or two"
if ! "$venv/bin/uv" pip install --quiet --system-certs --python "$venv/bin/python" --compile-bytecode \
    --require-hashes -r "$here/dev.txt"; then
    echo "uv could not install them; trying with pip, which is slower"
    pip install --require-hashes -r "$here/dev.txt"
fi
pip install --no-deps --no-build-isolation --editable "$here/.."
