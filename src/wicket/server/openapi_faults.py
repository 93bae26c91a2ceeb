"""What each status of a fault means, wherever it comes."""

from __future__ import annotations

FAULTS = {
    "400": "A field is missing or wrong; `param` names it.",
    "401": "No key, or one that is not known here.",
    "403": "The key may not do this.",
    "404": "There is no such thing.",
    "409": "Not in this state.",
    "413": "The body is longer than this route takes.",
    "415": "The body is not of the type that this route takes: JSON, or a form.",
    "429": "Too much at once; come back after `retry-after`.",
    "500": "Something failed inside; `x-request-id` names the request.",
    "501": "This upstream can't do that.",
    "502": "Every provider that could answer failed.",
    "503": "Something the operator must mend, or not ready yet.",
    "504": "Every provider that could answer was too slow.",
}
