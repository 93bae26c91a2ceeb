#!/bin/sh
# Wicket with curl: a whole answer, a streamed one, and what can be called.
#   WICKET_API_KEY=wk-… examples/curl.sh "What is the capital of France?"
set -eu
url=${WICKET_URL:-http://127.0.0.1:4242}
key=${WICKET_API_KEY:?set it to the key that wicket serve printed, or to one of wicket keys create}
model=${MODEL:-mini}
question=${1:-What is the capital of France?}

# In JSON, a quotation mark and a backslash need a backslash.
text=$(printf '%s' "$question" | sed 's/[\\"]/\\&/g')
messages="[{\"role\": \"user\", \"content\": \"$text\"}]"

ask() {
    curl --silent --show-error --fail-with-body --no-buffer "$url/v1/chat/completions" \
        -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d "$1"
    echo
}

ask "{\"model\": \"$model\", \"temperature\": 0, \"max_tokens\": 200, \"messages\": $messages}"
ask "{\"model\": \"$model\", \"temperature\": 0, \"max_tokens\": 200, \"stream\": true, \"messages\": $messages}"
curl --silent --show-error --fail-with-body "$url/v1/models" -H "Authorization: Bearer $key"
echo
