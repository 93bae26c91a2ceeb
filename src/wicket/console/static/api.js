// The administration's API with the browser's session. Changes carry the session's CSRF token.

let csrf = "";
let whenSignedOut = () => {};

export function useSession(token, signedOut) {
  csrf = token;
  whenSignedOut = signedOut;
}

export class ApiFault extends Error {
  constructor(status, error) {
    super(error.message || `The server answered with status ${status}.`);
    this.status = status;
    this.code = error.code || "";
    this.param = error.param || "";
  }
}

export async function call(method, path, body, options = {}) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET" && csrf) headers["x-wicket-csrf"] = csrf;
  const answer = await reach(path, {
    method,
    headers,
    credentials: "same-origin",
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: options.signal,
  });
  const text = await answer.text();
  if (!answer.ok) {
    const error = errorIn(text);
    if (csrf && (answer.status === 401 || error.code === "csrf_token")) whenSignedOut(); // it ended, or another took its place
    throw new ApiFault(answer.status, error);
  }
  return text ? JSON.parse(text) : null;
}

export const get = (path, options) => call("GET", path, undefined, options);
export const post = (path, body = {}, options) => call("POST", path, body, options);

// What a caller may not see is told as nothing, so that a view shows the rest.
export async function getOr(path, other, options) {
  try {
    return await get(path, options);
  } catch (fault) {
    if (fault instanceof ApiFault && [403, 404, 501, 503].includes(fault.status)) return other;
    throw fault;
  }
}

export function query(values) {
  const kept = Object.entries(values).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  return kept.length ? `?${new URLSearchParams(kept)}` : "";
}

const HELD = ["credit_held", "budget_held"];
const MOST_TRIES = 6;

// A streamed chat completion: calls `hear(chunk)` for each chunk; resolves with the answer's headers. What other
// requests of this page hold of a credit is waited for.
export async function stream(key, request, hear, signal, tries = 1) {
  const answer = await reach("/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ ...request, stream: true, stream_options: { include_usage: true } }),
    signal,
  });
  if (!answer.ok) {
    const error = errorIn(await answer.text());
    if (!HELD.includes(error.code) || tries >= MOST_TRIES) throw new ApiFault(answer.status, error);
    await new Promise((resolve) => setTimeout(resolve, Number(answer.headers.get("retry-after-ms")) || 1000));
    return stream(key, request, hear, signal, tries + 1);
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let isDone = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const frames = (rest + value).split("\n\n");
    rest = frames.pop();
    for (const frame of frames) {
      for (const line of frame.split("\n")) {
        if (!line.startsWith("data:")) continue;
        const data = line.slice(5).trim();
        if (data === "[DONE]") {
          isDone = true;
          continue;
        }
        const chunk = JSON.parse(data);
        if (chunk.error) throw new ApiFault(502, chunk.error);
        hear(chunk);
      }
    }
  }
  if (!isDone) throw new ApiFault(502, { message: "The answer was cut before its end." });
  return answer.headers;
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiFault(0, { message: "The server can't be reached. Is it still running?" });
  }
}

function errorIn(text) {
  try {
    return JSON.parse(text).error || {};
  } catch {
    return { message: text.slice(0, 200) };
  }
}
