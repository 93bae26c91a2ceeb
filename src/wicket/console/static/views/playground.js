// Ask one or several models the same thing and see what each says, how fast, at what cost, and who answered.

import { get, post, stream } from "../api.js";
import { h, put } from "../dom.js";
import { balance as left, count, milliseconds, usd } from "../format.js";
import { button, code, dialog, empty, field, head, link, note, tabs, valuesOf } from "../parts.js";
import { snippets } from "../snippets.js";
import { trace } from "./requests.js";

const MOST = 4;
const LOOKS = 6;
const LOOK_MS = 300;
let key = { key: "", expires: 0 };

export async function view({ signal, argument }) {
  const models = (await get("/v1/models", { signal })).data;
  if (!models.length) {
    return h("div", { class: "stack" }, head("Playground"), empty("No model can be called yet", "Give Wicket a provider's key, or start it with a model of its own.", link("Providers", "#/providers", "button main")));
  }
  const first = models.find((one) => one.id === argument) || models.find((one) => one.is_default) || models[0];
  const place = h("div", { class: "talks" });
  const talks = [];
  const balance = h("span", { class: "quiet number", id: "balance", role: "status" });
  const add = (id) => {
    if (talks.length >= MOST) return;
    const talk = new Talk(models, id, () => {
      talks.splice(talks.indexOf(talk), 1);
      talk.element.remove();
      many.disabled = false;
    });
    talks.push(talk);
    place.append(talk.element);
    many.disabled = talks.length >= MOST;
  };
  const many = button("Add a model", () => add((models.find((one) => !talks.some((talk) => talk.model === one.id)) || models[0]).id));
  const asking = composer(talks, signal, () => settled(balance));
  add(first.id);
  showBalance(balance);
  return h(
    "div",
    { class: "stack" },
    head("Playground", "Each column keeps its own conversation. Requests here cost what they cost anywhere.", balance, many, button("As a snippet", () => share(talks, asking))),
    place,
    asking,
  );
}

class Talk {
  constructor(models, id, remove) {
    this.messages = [];
    this.turns = h("div", { class: "stack" });
    this.measures = h("div", {});
    this.chooser = field("Model", "model", { choices: models.map((one) => one.id), value: id });
    this.element = h("section", { class: "card talk", "aria-label": "A conversation" }, h("div", { class: "row spread" }, this.chooser, button("Remove", remove, "plain", { "aria-label": "Remove this model" })), this.turns, this.measures);
  }

  get model() {
    return this.chooser.querySelector("select").value;
  }

  clear() {
    this.messages = [];
    put(this.turns);
    put(this.measures);
  }

  async ask(text, settings, signal) {
    const { system, ...rest } = settings;
    this.messages.push({ role: "user", content: text });
    this.turns.append(h("div", { class: "turn user" }, text));
    const thought = h("div", { class: "turn thought", hidden: true });
    const answer = h("div", { class: "turn assistant", "aria-live": "polite", "aria-busy": "true" });
    this.turns.append(thought, answer);
    const heard = { text: "", first: 0, last: 0, usage: null, served: "" };
    const began = performance.now();
    const messages = system ? [{ role: "system", content: system }, ...this.messages] : this.messages;
    try {
      const headers = await stream(await playgroundKey(), { model: this.model, messages, ...rest }, (chunk) => {
        heard.usage = chunk.usage || heard.usage;
        heard.served = chunk.model || heard.served;
        const delta = chunk.choices?.[0]?.delta;
        if (!delta) return;
        const said = delta.content || "";
        if (said || delta.reasoning_content) {
          heard.first ||= performance.now();
          heard.last = performance.now();
        }
        if (delta.reasoning_content) {
          thought.hidden = false;
          thought.textContent += delta.reasoning_content;
        }
        heard.text += said;
        answer.append(said);
      }, signal);
      this.messages.push({ role: "assistant", content: heard.text });
      put(this.measures, measured(began, heard, headers));
    } catch (fault) {
      this.messages.pop();
      const isStopped = fault.name === "AbortError";
      answer.append(note(isStopped ? "warn" : "bad", isStopped ? "Stopped." : fault.message));
    } finally {
      answer.removeAttribute("aria-busy");
    }
  }
}

function measured(began, heard, headers) {
  const usage = heard.usage || {};
  const spoken_s = (heard.last - heard.first) / 1000;
  const id = headers.get("x-request-id");
  const pairs = [
    ["answered by", headers.get("x-wicket-deployment") || heard.served],
    ["first token", milliseconds(heard.first ? heard.first - began : null)],
    ["speed", spoken_s > 0.02 && usage.completion_tokens ? `${Math.round(usage.completion_tokens / spoken_s)} tokens/s` : "–"],
    ["tokens", `${count(usage.prompt_tokens)} in, ${count(usage.completion_tokens)} out`],
    ["cost", usd(usage.cost ?? null)],
  ];
  return [
    h("dl", { class: "measures" }, pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    id && button("Why this one?", () => trace(id), "plain"),
    headers.get("x-wicket-dropped") && note("warn", `Not passed on to this provider: ${headers.get("x-wicket-dropped")}`),
  ];
}

function composer(talks, signal, answered) {
  const words = field("Your message", "message", { rows: 3, placeholder: "Ask something…" });
  const area = words.querySelector("textarea");
  const more = h("details", {}, h("summary", {}, "Instructions and settings"), h("div", { class: "form" },
    field("Instructions to the model", "system", { rows: 2 }),
    h("div", { class: "fields" },
      field("Temperature", "temperature", { type: "number", min: 0, max: 2, step: 0.1, hint: "Empty: the model's own." }),
      field("Longest answer", "max_tokens", { type: "number", min: 1, hint: "In tokens; empty: the model's own." }))));
  const send = h("button", { type: "submit", class: "main" }, "Send");
  const stop = button("Stop", () => under.abort(), "", { hidden: true });
  const clear = button("Start anew", () => talks.forEach((talk) => talk.clear()));
  const element = h("form", { class: "asking" }, words, h("div", { class: "row spread" }, h("div", { class: "row" }, send, stop, clear), more));
  let under = new AbortController();
  signal.addEventListener("abort", () => under.abort());
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      element.requestSubmit();
    }
  });
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = area.value.trim();
    if (!text || send.disabled) return;
    area.value = "";
    under = new AbortController();
    send.disabled = true;
    stop.hidden = false;
    await Promise.all(talks.map((talk) => talk.ask(text, settingsOf(element), under.signal)));
    send.disabled = false;
    stop.hidden = true;
    area.focus();
    answered();
  });
  return element;
}

function settingsOf(element) {
  const { system, temperature, max_tokens } = valuesOf(element);
  const settings = {};
  if (system) settings.system = system;
  if (temperature !== "") settings.temperature = Number(temperature);
  if (max_tokens !== "") settings.max_tokens = Number(max_tokens);
  return settings;
}

function share(talks, element) {
  const talk = talks[0];
  if (!talk) return;
  const { system, ...settings } = settingsOf(element);
  const asked = talk.messages.length ? talk.messages : [{ role: "user", content: valuesOf(element).message || "Say hello in five words." }];
  const last = asked.map((one) => one.role).lastIndexOf("user");
  const messages = [...(system ? [{ role: "system", content: system }] : []), ...asked.slice(0, last + 1)];
  const request = { model: talk.model, messages, ...settings };
  const box = dialog(
    "As a snippet",
    h("p", { class: "quiet" }, "Put a key of yours in the place of YOUR_KEY. Keys are made under Keys."),
    tabs("Language", snippets(`${location.origin}/v1`, "YOUR_KEY", request).map(([name, text]) => [name, () => code(text, `${name} snippet`)])),
    h("div", { class: "row end" }, button("Done", () => box.close(), "main")),
  );
}

// A short-lived key of the signed-in person's team, kept in this page's memory only.
async function playgroundKey() {
  if (key.expires > Date.now() + 60_000) return key.key;
  const made = await post("/auth/v1/playground-key");
  key = { key: made.key, expires: new Date(made.expires_at).getTime() };
  return key.key;
}

// The charge of an answer is in the ledger a moment after its end: then the balance is looked at again.
async function settled(place) {
  const before = place.textContent;
  for (let looks = 0; looks < LOOKS && place.textContent === before; looks += 1) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    await showBalance(place);
  }
}

async function showBalance(place) {
  const made = await playgroundKey().catch(() => "");
  const mine = made && (await fetch("/v1/key", { headers: { authorization: `Bearer ${made}` } }).then((answer) => (answer.ok ? answer.json() : null)).catch(() => null));
  const balance = mine?.credit?.balance_usd ?? mine?.balance_usd;
  if (balance === undefined || balance === null) return put(place, "");
  return put(place, `Credit left: ${left(Number(balance))}`);
}
