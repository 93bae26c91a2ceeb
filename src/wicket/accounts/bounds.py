"""What bounds a request from above before anybody is asked: tokens by bytes, images and files by number.

Sources: OpenAI's guide on images and vision (the dearest documented image is 2,833 tokens and 5,667 for each
of 8 tiles: 48,169); a file, film or sound is bounded by the window of whatever model reads it.
"""

from __future__ import annotations

import re

import msgspec

IMAGE_TOKENS = 49_152
FILE_TOKENS = 2_097_152  # where the window is not known: the largest one on sale
_TEMPLATE_TOKENS = 64  # what a chat template may add beyond the bytes of the request
_TYPE = rb'"type"\s*:\s*"(?:%b)"'
_IMAGES = re.compile(_TYPE % b"image_url|input_image|image")
_FILES = re.compile(_TYPE % b"input_audio|input_file|file|audio|audio_url|video|video_url")
_DOCUMENTS = re.compile(_TYPE % b"document")
_GOOGLES = re.compile(rb'"(?:inlineData|inline_data|fileData|file_data)"\s*:')


class Parts(msgspec.Struct, frozen=True):
    """How many images, and how many files, films and sounds a request has at most, whole or by reference."""

    images: int = 0
    files: int = 0


NO_PARTS = Parts()


def count_parts(body: bytes, *, has_text_documents: bool = False) -> Parts:
    """What a body of any inbound dialect has beside text. Prose never counts: its quotes are escaped.

    Google's parts tell no kind before their contents, so each counts as a file. `has_text_documents`: what
    the dialect calls a document is text in the body (Cohere's results of tools), bound by its bytes already.
    """
    has_types, has_googles = b'"type"' in body, b'Data"' in body or b'_data"' in body
    if not (has_types or has_googles):
        return NO_PARTS
    images = len(_IMAGES.findall(body)) if has_types else 0
    files = len(_FILES.findall(body)) if has_types else 0
    if has_types and not has_text_documents:
        files += len(_DOCUMENTS.findall(body))
    files += len(_GOOGLES.findall(body)) if has_googles else 0
    return Parts(images, files)


def bound_input_tokens(num_bytes: int, parts: Parts = NO_PARTS, context_tokens: int = 0) -> int:
    """An upper bound on the tokens of a request body of `num_bytes`.

    A byte-level tokenizer makes at most one token of a byte, and JSON's own bytes outweigh what a chat
    template adds per message. An image adds `IMAGE_TOKENS`; with a file the request may be as long as the
    model's window, `context_tokens` (0: unknown).
    """
    bound = num_bytes + _TEMPLATE_TOKENS
    if parts is not NO_PARTS:
        bound += parts.images * IMAGE_TOKENS
        if parts.files:
            bound += context_tokens or FILE_TOKENS
    return bound
