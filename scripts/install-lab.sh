#!/bin/sh
# Adds torch and friends to .venv. Not locked by hash: which torch fits depends on the machine.
# TORCH_INDEX=https://download.pytorch.org/whl/cpu chooses another source of wheels.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
stamp=.venv/.installed-lab
now=$(pwd; cksum pyproject.toml scripts/install-lab.sh)
[ -f "$stamp" ] && [ "$now" = "$(cat "$stamp")" ] && exit 0
echo "Installing torch and what else the lab needs into .venv (several hundred MB) ..."
"$python" -m pip --disable-pip-version-check install --quiet --no-input --no-build-isolation \
    ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} --editable '.[lab]'
printf '%s\n' "$now" >"$stamp"
