#!/bin/sh
# What `make test-page` needs: a Chromium that is on the machine, or Debian's, and the driver's locked wheels.
set -eu
cd "$(dirname "$0")/.."
lock=requirements/page.txt
stamp=.venv/.installed-page
if [ -z "${CHROMIUM:-}" ] && ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null &&
    ! command -v google-chrome >/dev/null; then
    echo "Installing Debian's chromium ..."
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null
    else
        echo "wicket: the page is tested in Chromium, and there is none here." >&2
        echo "wicket: Install one (Debian, Ubuntu: apt install chromium), or name it: CHROMIUM=/path/to/it" >&2
        exit 1
    fi
fi
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(cksum "$lock")" ] && exit 0
.venv/bin/python -m pip --disable-pip-version-check install --quiet --no-input --require-hashes \
    --only-binary :all: --no-deps -r "$lock"
cksum "$lock" >"$stamp"
