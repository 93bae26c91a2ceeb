"""What `wicket dev upstream --help` says of scripts; a test sees that no field is missing."""

from __future__ import annotations

from wicket.upstream.scripted_errors import ERRORS

_TEXT = """\
A script is TOML (FILE.toml) or JSON. The first rule whose conditions all hold answers; what it does not say
is done as a good provider does it.

  [[rules]]
  when = {{ model = "gpt-4o", to_nth = 2 }}   # the first two requests for this model
  error = "rate_limit"
  headers = {{ retry-after = "2" }}

The path says in which dialect it answers, errors included: OpenAI's (…/chat/completions), Anthropic's
(…/messages), Gemini's (…/models/NAME:generateContent), Bedrock's (…/model/NAME/converse), Cohere's (…/chat)
or Ollama's own (…/api/chat). Embeddings come in OpenAI's, Cohere's, Ollama's and Gemini's form, rankings
(…/rerank) in Cohere's, Jina's and Voyage's; …/images/*, …/audio/* and …/moderations as OpenAI answers them,
forms and streams included. Of sound a token is an eighth of its bytes. …/responses, …/files and …/batches
keep what they made, by credential.

conditions (when)
  model                   equal, or a prefix with * at its end
  path, key               the path's end; the API key
  stream                  true or false
  contains, last_role     a text anywhere in the body; the role of the last message
  over_tokens             the prompt has more tokens (words)
  from_nth, to_nth, every_nth   of the requests that meet the rest, counted from 1
  from_s, to_s            seconds since the script was loaded
  period_s                flapping: from_s and to_s are times within each period

instead of an answer
  status, error           a status with an error's text; or one of
                          {errors}
  body, headers           any text (or object), any headers
  content_length_off      added to the true content-length: above 0 the body is too short for it
  gzip                    compress it
  silent                  never answer
  reset, close            RST, or FIN, before the head

the transport
  read_bytes_s            read the request no faster (rules with path, key and model only)
  hang_up                 close after the answer
  split_every, split_seed, piece_gap_ms   write of so many bytes, or of random sizes; with pauses

the stream
  first_token_ms, gap_ms  wait before the first token, before each further one
  cut_after, rst          end the connection after so many tokens, by RST if rst
  stall_after             fall silent for ever after so many tokens
  malformed_frame         the frame of this number is no JSON
  error_frame_after       an error object after so many tokens
  huge_frame              a frame with so many bytes of text first
  done, usage, role_first   false leaves out [DONE], the usage frame, the role's frame

the content
  text, reasoning, tool_calls, refusal, finish_reason
  signature               the seal on the reasoning (Anthropic, Bedrock), or on the first call or the
                          last text (Gemini)

[[greetings]], for connections instead of requests (over TLS: in the middle of the handshake)
  fault                   "cut" (FIN) or "reset" (RST) after the client's first bytes, "silent", "plain"
                          (answers in plain HTTP), "close" (at once)
  from_nth, to_nth, every_nth, from_s, to_s, period_s   as above, of connections

beside the rules
  text, models, dimensions   of the good answers
  looks                   after so many what goes on in the background, or as a batch, is over
  answers, answers_file   the last user message to its answer; a JSONL file of {{"prompt", "answer"}}
  prices                  USD per million tokens, by model: {{ input, output }}, for the log

--cert and --key make it an https server. An expired certificate, or one of a wrong name:
  openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out crt.pem -subj /CN=elsewhere.example -days 2
  (-not_before 20200101000000Z -not_after 20200102000000Z, OpenSSL 3.4, for one that has expired)

GET /__log lists the requests it saw (keys as their SHA-256), POST /__script replaces the script.
"""


def explanation() -> str:
    """The text, for a terminal."""
    return _TEXT.format(errors=", ".join(ERRORS))
