// How deployments, workers, engines and the ledger are now; looked at again every few seconds.

import { get, getOr, query } from "../api.js";
import { h, put } from "../dom.js";
import { count, duration, milliseconds, percent } from "../format.js";
import { empty, facts, head, link, note, table, tag } from "../parts.js";

const EVERY_MS = 3000;
const GOOD = ["closed", "ready", "open"];

export async function view({ signal }) {
  const place = h("div", { class: "stack" });
  const load = async () => {
    const [status, usage] = await Promise.all([get("/admin/v1/status", { signal }), getOr(`/admin/v1/usage${query({ by: "deployment", since: "1d" })}`, { rows: [] }, { signal })]);
    put(place, ...shown(status, usage));
  };
  await load();
  const timer = setInterval(() => load().catch((fault) => signal.aborted || put(place, note("bad", fault.message))), EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  return h("div", { class: "stack" }, head("Health", "As it is now; errors are those of the last day."), place);
}

function shown(status, usage) {
  const failed = new Map(usage.rows.map((row) => [row.deployment, row]));
  const workers = status.workers || [];
  return [
    facts([
      ["version", status.version],
      ["up for", duration(status.uptime_s)],
      ["requests under way", count(workers.reduce((sum, one) => sum + one.in_flight, 0))],
      ["workers", workers.filter((one) => one.state === "ready").length],
      ["worker restarts", count(status.worker_restarts)],
      ["ledger", status.ledger.state],
    ]),
    status.deployments.length ? deployments(status.deployments, failed) : empty("Nobody has been asked yet", "Deployments show up here with their times once requests reach them.", link("Ask a model", "#/playground", "button main")),
    status.engines.length ? engines(status.engines) : null,
    table("Workers", [["Worker", (one) => one.index], ["State", (one) => state(one.state)], ["Up", (one) => duration(one.uptime_s), "right"], ["Under way", (one) => count(one.in_flight), "right"], ["Connections", (one) => count(one.connections), "right"], ["Memory", (one) => `${Math.round(one.rss_bytes / 1e6)} MB`, "right"]], workers, { isCaptionSeen: true }),
  ];
}

function deployments(rows, failed) {
  return table(
    "Deployments",
    [
      ["Deployment", (row) => row.deployment],
      ["State", (row) => [state(row.state === "closed" ? "well" : row.state, row.state === "closed"), row.reason ? ` ${row.reason}` : ""]],
      ["Running", (row) => count(row.running), "right"],
      ["First token", (row) => milliseconds(row.first_token_ms), "right"],
      ["Tokens/s", (row) => (row.tokens_per_s ? count(row.tokens_per_s) : "–"), "right"],
      ["Failed today", (row) => percent(failed.get(row.deployment)?.failed || 0, failed.get(row.deployment)?.requests || 0), "right"],
    ],
    rows,
    { isCaptionSeen: true },
  );
}

function engines(rows) {
  return table(
    "Engines here",
    [
      ["Engine", (row) => row.name],
      ["Model", (row) => row.model],
      ["State", (row) => [state(row.state), row.message ? ` ${row.message}` : ""]],
      ["Loaded in", (row) => `${row.load_s} s`, "right"],
      ["Memory", (row) => (row.rss_bytes ? `${Math.round(row.rss_bytes / 1e6)} MB` : "–"), "right"],
    ],
    rows,
    { isCaptionSeen: true },
  );
}

const state = (name, isGood = GOOD.includes(name)) => tag(name, isGood ? "good" : name === "failed" ? "bad" : "warn");
