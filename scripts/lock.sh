#!/bin/sh
# Makes requirements/*.txt: exact versions with the hashes of every wheel, for Python 3.11 and later on
# every platform. Run it after a change of pyproject.toml or requirements/*.in; needs uv (a development tool).
# Versions already locked stay unless --upgrade is given.
set -eu
cd "$(dirname "$0")/.."
UV=${UV:-.venv/bin/uv}

lock() {
    target=$1
    shift
    "$UV" pip compile --universal --generate-hashes --python-version 3.11 --only-binary :all: --no-annotate \
        --no-header --default-index https://pypi.org/simple --no-config --excludes requirements/excluded.in \
        --quiet --output-file "$target" "$@"
}

lock requirements/serve.txt --extra compact --extra recordings pyproject.toml requirements/serve.in "$@"
lock requirements/test.txt --extra compact --extra recordings --extra dev pyproject.toml requirements/serve.in \
    --constraints requirements/serve.txt "$@"
lock requirements/services.txt --extra compact --extra recordings --extra dev pyproject.toml \
    requirements/serve.in requirements/services.in --constraints requirements/test.txt "$@"
lock requirements/page.txt requirements/page.in --constraints requirements/test.txt "$@"
# Needs an older openai than the rest of us have: it lives in an environment of its own.
lock tests/services/llama_index/requirements.txt tests/services/llama_index/requirements.in "$@"
