// Requests as they come in, and the trace of one: who was tried, what each said, what it took and cost.

import { get, query } from "../api.js";
import { h, put } from "../dom.js";
import { clock, count, milliseconds, moment, usd } from "../format.js";
import { button, dialog, empty, facts, field, head, link, note, table, tableRow, tag, valuesOf } from "../parts.js";

const SHOWN = 100;
const COLUMNS = [
  ["When", (row) => clock(row.started_at)],
  ["Model", (row) => row.model],
  ["Answered by", (row) => row.deployment || "nobody"],
  ["State", (row) => tag(row.outcome === "ok" ? `${row.status}` : `${row.status} ${row.outcome}`, row.outcome === "ok" ? "good" : "bad")],
  ["Tokens", (row) => `${count(row.input_tokens)} / ${count(row.output_tokens)}`, "right"],
  ["First token", (row) => milliseconds(row.first_token_ms), "right"],
  ["Whole", (row) => milliseconds(row.total_ms), "right"],
  ["Charged", (row) => usd(row.charge_usd), "right"],
  ["", (row) => button("Trace", () => trace(row.id), "plain", { "aria-label": `Trace of ${row.id}` })],
];

export async function view({ signal, argument }) {
  const place = h("div", {});
  const state = h("span", { class: "quiet small", role: "status" });
  const filter = h("form", { class: "fields" }, field("Model", "model"), field("Key", "key", { hint: "A name or id; “admin” for the operator's." }), field("Outcome", "outcome", { choices: [["", "all"], ["ok", "answered"], ["failed", "failed"]] }));
  let following = null;
  const load = async () => {
    following?.close();
    const wanted = valuesOf(filter);
    const found = (await get(`/admin/v1/logs${query({ ...wanted, limit: SHOWN })}`, { signal })).data;
    show(place, found);
    following = follow(wanted, place, state);
    signal.addEventListener("abort", () => following.close(), { once: true });
  };
  filter.addEventListener("change", () => load().catch((fault) => put(place, note("bad", fault.message))));
  filter.addEventListener("submit", (event) => event.preventDefault());
  await load();
  if (argument) setTimeout(() => trace(argument));
  return h("div", { class: "stack" }, head("Requests", "The newest first, as they end. Questions and answers are not shown: they are not kept unless you turn that on.", state), filter, place);
}

function show(place, found) {
  if (!found.length) return put(place, empty("Nothing to show", "No request fits. New ones appear here by themselves.", link("Ask a model", "#/playground", "button main")));
  return put(place, table("Requests", COLUMNS, found));
}

function follow(wanted, place, state) {
  const source = new EventSource(`/admin/v1/logs${query({ ...wanted, follow: 1 })}`);
  const since = Date.now() - 5000;
  source.onopen = () => put(state, "● live");
  source.onerror = () => put(state, "○ connecting again…");
  source.onmessage = (event) => {
    const row = JSON.parse(event.data);
    if (row.error || new Date(row.started_at).getTime() + (row.total_ms || 0) < since) return;
    const body = place.querySelector("tbody");
    if (!body) {
      show(place, [row]);
      return;
    }
    if (body.querySelector(`[data-id="${CSS.escape(row.id)}"]`)) return;
    const line = tableRow(COLUMNS, row);
    line.dataset.id = row.id;
    line.classList.add("fresh");
    body.prepend(line);
    while (body.children.length > SHOWN) body.lastChild.remove();
  };
  return source;
}

export async function trace(id) {
  const box = dialog(`Request ${id}`, h("p", { class: "quiet" }, "Looking it up…"));
  const inside = box.querySelector(".inside");
  const title = inside.firstChild;
  try {
    put(inside, title, ...traced(await settled(id)), h("div", { class: "row end" }, button("Done", () => box.close(), "main")));
  } catch (fault) {
    put(inside, title, note("bad", fault.message), h("div", { class: "row end" }, button("Done", () => box.close(), "main")));
  }
}

// A record is there a moment after the answer's end.
async function settled(id) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await get(`/v1/requests/${encodeURIComponent(id)}`);
    } catch (fault) {
      if (fault.status !== 404 || tries >= 10) throw fault;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

function traced(row) {
  const spared = row.large_cost_usd !== null && row.large_cost_usd > row.charge_usd ? row.large_cost_usd - row.charge_usd : null;
  return [
    facts([
      ["asked for", row.model],
      ["answered by", row.deployment || "nobody"],
      ["whole time", milliseconds(row.total_ms)],
      ["charged", usd(row.charge_usd)],
      spared !== null && ["less than the large model", usd(spared)],
    ]),
    h("p", { class: "quiet small" }, `${moment(row.started_at)} · ${row.api} · price ${row.price_row || "none"}`),
    table(
      "What was tried",
      [
        ["Deployment", (one) => one.deployment],
        ["Result", (one) => tag(one.reason === "ok" ? `${one.status} ok` : `${one.status || ""} ${one.reason}`, one.reason === "ok" ? "good" : "bad")],
        ["Kind", (one) => one.kind || (one.is_probe ? "probe" : "")],
        ["Began", (one) => milliseconds(one.started_ms), "right"],
        ["First token", (one) => milliseconds(one.first_token_ms), "right"],
        ["Ended", (one) => milliseconds(one.ended_ms), "right"],
        ["Cost", (one) => usd(one.cost_usd), "right"],
      ],
      row.attempts,
      { isCaptionSeen: true },
    ),
    row.dropped.length ? note("warn", `Not passed on: ${row.dropped.join(", ")}`) : null,
  ];
}
