// The first view: what to do next, what happened today, where the money goes.

import { get, getOr, query } from "../api.js";
import { h } from "../dom.js";
import { may } from "../may.js";
import { compact, count, day, percent, usd } from "../format.js";
import { card, empty, facts, head, link, note, table, tag } from "../parts.js";
import { bars } from "../plot.js";

const DAYS = 30;

export async function view({ session, signal }) {
  const [days, models, savings, keys, credits, status] = await Promise.all([
    getOr(`/admin/v1/usage${query({ by: "day", since: `${DAYS}d` })}`, null, { signal }),
    getOr(`/admin/v1/usage${query({ by: "model", since: `${DAYS}d` })}`, null, { signal }),
    getOr(`/admin/v1/savings${query({ since: `${DAYS}d` })}`, null, { signal }),
    getOr("/admin/v1/keys", { data: [] }, { signal }),
    getOr("/admin/v1/credits", { data: [] }, { signal }),
    may(session, "status") ? getOr("/admin/v1/status", null, { signal }) : null,
  ]);
  const first = session.user.name ? session.user.name.split(" ")[0] : "";
  return h(
    "div",
    { class: "stack" },
    head(first ? `Hello, ${first}` : "Overview", `The last ${DAYS} days of ${session.organisation?.name || "this house"}.`, ...toDo(session)),
    troubles(status),
    days && days.requests ? [numbers(days, savings), plots(days), spending(models)] : firstSteps(session, keys.data, credits.data),
  );
}

function toDo(session) {
  if (!may(session, "keys.create")) return [];
  return [link("Make a key", "#/keys/new", "button main"), link("Try a model", "#/playground")];
}

function numbers(days, savings) {
  const spared = savings && savings.large_only_usd > savings.spent_usd ? savings.large_only_usd - savings.spent_usd : 0;
  return facts([
    ["requests", count(days.requests)],
    ["answered", percent(days.requests - days.failed, days.requests)],
    ["charged", usd(days.charge_usd)],
    ["paid to providers", usd(days.cost_usd)],
    ["saved by smaller models", usd(spared)],
    ["tokens in and out", `${compact(days.input_tokens)} / ${compact(days.output_tokens)}`],
  ]);
}

function plots(days) {
  const byDay = new Map(days.rows.map((row) => [row.day, row]));
  const names = lastDays();
  const pick = (name) => names.map((one) => byDay.get(one)?.[name] || 0);
  const answered = names.map((one) => (byDay.get(one)?.requests || 0) - (byDay.get(one)?.failed || 0));
  return h(
    "div",
    { class: "two" },
    card("", bars("Requests by day", names.map(day), [{ name: "answered", values: answered }, { name: "failed", values: pick("failed") }], compact)),
    card("", bars("Charged by day", names.map(day), [{ name: "charged", values: pick("charge_usd") }], (value) => usd(value))),
  );
}

function lastDays() {
  const today = Date.now();
  return Array.from({ length: DAYS }, (_, back) => new Date(today - (DAYS - 1 - back) * 86_400_000).toISOString().slice(0, 10));
}

function spending(models) {
  if (!models) return null;
  const rows = [...models.rows].sort((one, other) => other.charge_usd - one.charge_usd || other.requests - one.requests).slice(0, 8);
  return table(
    "Models by what they cost",
    [
      ["Model", (row) => row.model || h("span", { class: "quiet" }, "nobody answered")],
      ["Requests", (row) => count(row.requests), "right"],
      ["Failed", (row) => percent(row.failed, row.requests), "right"],
      ["Tokens", (row) => compact(row.input_tokens + row.output_tokens), "right"],
      ["Charged", (row) => usd(row.charge_usd), "right"],
    ],
    rows,
    { isCaptionSeen: true },
  );
}

function firstSteps(session, keys, credits) {
  if (!may(session, "keys.create")) return [empty("Nothing has been asked yet", "Once somebody of your organisation asks a model, it shows up here.")];
  const hasKey = keys.some((key) => !key.revoked_at);
  return [
    empty(
      "Nothing has been asked yet",
      hasKey ? "You have a key: paste its snippet into a shell, or ask a model in the playground." : "Make a key, paste its snippet, see the answer here. Or ask a model in the playground first.",
      ...toDo(session),
    ),
    !credits.length && may(session, "credits.add") && note("", "Without prepaid credit nothing is held back: requests are counted and can be billed later. ", link("Add credit", "#/credits", ""), " to have a balance that falls."),
  ];
}

function troubles(status) {
  if (!status) return null;
  const open = (status.deployments || []).filter((one) => one.state !== "closed");
  const failed = (status.engines || []).filter((one) => one.state === "failed");
  const lines = [
    ...failed.map((one) => `The engine ${one.name} failed: ${one.message}`),
    ...open.map((one) => `${one.deployment} is spared for ${one.cooldown_s} s (${one.reason}).`),
    status.config?.fault && `The configuration on disk is wrong, the one before stays in force: ${status.config.fault}`,
    status.ledger?.state === "full" && "The ledger can't write: is the disk full? New requests are refused.",
  ].filter(Boolean);
  return lines.length ? h("div", { class: "note warn" }, tag("needs you", "warn"), h("ul", {}, lines.map((line) => h("li", {}, line)))) : null;
}
