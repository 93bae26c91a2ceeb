#!/bin/sh
# A step of a CI job: runs a command with a Wicket of its own beside it, then ends it.
#   examples/ci-step.sh pytest tests/
# The command finds the server in OPENAI_BASE_URL and OPENAI_API_KEY, as OpenAI's SDKs do. What Wicket serves is
# the wicket.toml of the current folder, else its own models. WICKET=path names the program.
set -eu
wicket=${WICKET:-wicket}
WICKET_HOME=$(mktemp -d)
export WICKET_HOME
log=$WICKET_HOME/serve.log

"$wicket" serve --port 0 >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" || true; rm -rf "$WICKET_HOME"' EXIT

while [ ! -s "$WICKET_HOME/server.json" ]; do
    kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
    sleep 0.1
done
url=$(sed -n 's/.*"url": *"\([^"]*\)".*/\1/p' "$WICKET_HOME/server.json")
# 503 until the model is loaded; curl asks again.
curl --silent --show-error --fail --output /dev/null \
    --retry 300 --retry-delay 1 --retry-max-time 300 --retry-connrefused "$url/readyz"

OPENAI_BASE_URL=$url/v1 OPENAI_API_KEY=$(cat "$WICKET_HOME/admin.key") "$@"
