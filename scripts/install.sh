#!/bin/sh
# Makes .venv and installs Wicket into it: locked wheels only, nothing compiles. `make install` runs this.
#   scripts/install.sh          what `make serve` needs
#   scripts/install.sh test     the development tools as well
#   scripts/install.sh services other people's clients as well
# PYTHON=/path/to/python3 chooses the Python. A second run that has nothing to do takes no time.
set -eu
cd "$(dirname "$0")/.."
what=${1:-serve}
venv=.venv
python=$venv/bin/python
lock=requirements/$what.txt
stamp=$venv/.installed-$what
unset PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX 2>/dev/null || true

fail() {
    printf 'wicket: %s\n' "$@" >&2
    exit 1
}

fingerprint() {
    pwd
    cksum requirements/*.txt pyproject.toml scripts/install.sh
}

is_done() { # each list holds all of the one before it, so that a later one does for the earlier ones
    case $what in
        serve) lists="serve test services" ;;
        test) lists="test services" ;;
        *) lists=$what ;;
    esac
    for list in $lists; do
        done=$venv/.installed-$list
        [ -f "$done" ] && [ "$(fingerprint)" = "$(cat "$done")" ] && "$python" -c '' 2>/dev/null && return 0
    done
    return 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.11 or newer. Name another, or unset it."
        printf '%s\n' "$PYTHON"
        return
    fi
    for name in python3.13 python3.12 python3.11 python3.14 python3 python; do
        if is_new_enough "$name"; then
            printf '%s\n' "$name"
            return
        fi
    done
    found=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
    fail "Wicket needs Python 3.11 or newer${found:+; python3 here is $found}." \
        "Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python)," \
        "or name one that is there: make install PYTHON=/path/to/python3"
}

make_venv() {
    chosen=$(find_python) || exit 1
    "$chosen" -c 'import venv, ensurepip' 2>/dev/null || fail \
        "This Python ($chosen) comes without its venv and pip modules." \
        "Install them (Debian, Ubuntu: apt install python3-venv), or: make install PYTHON=/path/to/python3"
    rm -rf "$venv"
    "$chosen" -m venv "$venv" || fail "The virtual environment $(pwd)/$venv can't be made; see above."
}

pip_install() {
    # Progress bars for people, silence for logs; errors are shown in both.
    if [ -t 1 ]; then quiet=; else quiet=--quiet; fi
    # shellcheck disable=SC2086  # empty means no argument
    "$python" -m pip --disable-pip-version-check install $quiet --no-input "$@"
}

if is_done; then
    exit 0
fi
is_new_enough "$python" || make_venv
"$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null 2>&1 || fail \
    "The virtual environment $(pwd)/$venv has no pip. Remove that folder and try again."
echo "Installing into $venv: $(grep -c '^[a-z]' "$lock") locked packages (the first time, about 300 MB are fetched) ..."
pip_install --require-hashes --only-binary :all: --no-deps -r "$lock" || fail \
    "pip could not install $lock; its last lines say why." \
    "Behind a proxy set HTTPS_PROXY; for a mirror of PyPI set PIP_INDEX_URL. Then try again."
pip_install --quiet --no-deps --no-build-isolation --editable . || fail "Wicket itself could not be installed; see above."
"$python" -m compileall -q src || true # a checkout that can't be written to starts a little slower
fingerprint >"$stamp"
