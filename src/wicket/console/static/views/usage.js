// Where tokens and money went, by whatever one wants to know it by; what smaller models saved; statements.

import { get, getOr, query } from "../api.js";
import { h, put } from "../dom.js";
import { compact, count, day, percent, usd } from "../format.js";
import { card, empty, facts, field, head, link, note, table, valuesOf } from "../parts.js";
import { bars } from "../plot.js";

const GROUPS = [["model", "Model"], ["team", "Team"], ["key", "Key"], ["deployment", "Deployment"], ["api", "API"], ["day", "Day"]];
const SPANS = [["1d", "the last day"], ["7d", "7 days"], ["30d", "30 days"], ["90d", "90 days"], ["365d", "a year"]];

export async function view({ signal }) {
  const place = h("div", { class: "stack" });
  const asked = h("form", { class: "fields" }, field("By", "by", { choices: GROUPS, value: "model" }), field("Over", "since", { choices: SPANS, value: "30d" }));
  const load = async () => put(place, ...(await report(valuesOf(asked), signal)));
  asked.addEventListener("change", () => load().catch((fault) => put(place, note("bad", fault.message))));
  asked.addEventListener("submit", (event) => event.preventDefault());
  await load();
  return h("div", { class: "stack" }, head("Usage and savings", "Counts are those the providers report; estimates are marked in each record."), asked, place);
}

async function report({ by, since }, signal) {
  const [groups, stacked, savings] = await Promise.all([
    get(`/admin/v1/usage${query({ by, since })}`, { signal }),
    by === "day" ? null : get(`/admin/v1/usage${query({ by: `day,${by}`, since })}`, { signal }),
    getOr(`/admin/v1/savings${query({ since })}`, null, { signal }),
  ]);
  if (!groups.requests) return [empty("Nothing was used in this time", "Requests show up here a moment after their answer.", link("Ask a model", "#/playground", "button main"))];
  return [
    facts([
      ["requests", count(groups.requests)],
      ["charged", usd(groups.charge_usd)],
      ["cost at providers", usd(groups.cost_usd)],
      ["input tokens", compact(groups.input_tokens)],
      ["of them cached", percent(groups.cached_tokens, groups.input_tokens)],
      ["output tokens", compact(groups.output_tokens)],
    ]),
    stacked && card("", plot(stacked, by)),
    listed(groups, by),
    saved(savings),
    statements(by, since),
  ];
}

function plot(report, by) {
  const days = [...new Set(report.rows.map((row) => row.day))].sort();
  const total = new Map();
  for (const row of report.rows) total.set(nameOf(row, by), (total.get(nameOf(row, by)) || 0) + row.charge_usd);
  const isFree = ![...total.values()].some(Boolean);
  const pick = (row) => (isFree ? row.requests : row.charge_usd);
  if (isFree) for (const row of report.rows) total.set(nameOf(row, by), (total.get(nameOf(row, by)) || 0) + row.requests);
  const names = [...total].sort((one, other) => other[1] - one[1]).map(([name]) => name);
  const shown = names.slice(0, 5);
  const seriesOf = (test) => days.map((each) => report.rows.filter((row) => row.day === each && test(nameOf(row, by))).reduce((sum, row) => sum + pick(row), 0));
  const series = shown.map((name) => ({ name, values: seriesOf((one) => one === name) }));
  if (names.length > shown.length) series.push({ name: "all others", values: seriesOf((one) => !shown.includes(one)) });
  return bars(isFree ? `Requests by day and ${by}` : `Charged by day and ${by}`, days.map(day), series, isFree ? compact : usd);
}

function listed(report, by) {
  const rows = [...report.rows].sort((one, other) => other.charge_usd - one.charge_usd || other.requests - one.requests);
  return table(
    `Usage by ${by}`,
    [
      [GROUPS.find(([name]) => name === by)[1], (row) => nameOf(row, by)],
      ["Requests", (row) => count(row.requests), "right"],
      ["Failed", (row) => percent(row.failed, row.requests), "right"],
      ["Input", (row) => compact(row.input_tokens), "right"],
      ["Cached", (row) => compact(row.cached_tokens), "right"],
      ["Output", (row) => compact(row.output_tokens), "right"],
      ["Reasoning", (row) => compact(row.reasoning_tokens), "right"],
      ["Cost", (row) => usd(row.cost_usd), "right"],
      ["Charged", (row) => usd(row.charge_usd), "right"],
    ],
    rows,
    { isCaptionSeen: true },
  );
}

const nameOf = (row, by) => (by === "key" && row.key_name) || row[by] || "none";

function saved(savings) {
  if (!savings || !savings.requests) return null;
  return card(
    "What smaller models saved",
    facts([
      ["spent", usd(savings.spent_usd)],
      ["with the large model alone", usd(savings.large_only_usd)],
      ["answered by minis", percent(savings.mini_share, 1)],
    ]),
    savings.tasks?.length
      ? table("Savings by task", [["Task", (row) => row.task], ["Requests", (row) => count(row.requests), "right"], ["By the mini", (row) => percent(row.mini_share, 1), "right"], ["Spent", (row) => usd(row.spent_usd), "right"], ["Large model alone", (row) => usd(row.large_only_usd), "right"]], savings.tasks)
      : null,
  );
}

function statements(by, since) {
  const month = new Date().toISOString().slice(0, 7);
  return card(
    "To take away",
    h("div", { class: "row" },
      link("This table as CSV", `/admin/v1/usage${query({ by, since, format: "csv" })}`),
      link(`Statement ${month}`, `/admin/v1/statements/${month}${query({ format: "html" })}`),
      link(`Statement ${month} as CSV`, `/admin/v1/statements/${month}${query({ format: "csv" })}`)),
  );
}
