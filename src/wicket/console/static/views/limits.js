// Limits on requests and tokens, and budgets by day, month or for good.

import { call, get, getOr } from "../api.js";
import { h } from "../dom.js";
import { binds } from "../may.js";
import { count, moment, usd } from "../format.js";
import { button, check, confirm, dialog, empty, field, form, head, table, tag, toast } from "../parts.js";
import { meter } from "../plot.js";

const UNITS = [["requests", "requests"], ["tokens", "tokens"], ["concurrent", "requests at once"]];
const WINDOWS = [["60", "a minute"], ["86400", "a day"]];

export async function view({ session, signal, again }) {
  const [limits, budgets, teams, keys, organisations] = await Promise.all([
    get("/admin/v1/limits", { signal }),
    get("/admin/v1/budgets", { signal }),
    getOr("/admin/v1/teams", { data: [] }, { signal }),
    getOr("/admin/v1/keys", { data: [] }, { signal }),
    session.is_operator ? getOr("/admin/v1/organisations", { data: [] }, { signal }) : { data: [] },
  ]);
  const scopes = [
    ...teams.data.filter(() => binds(session, "team")).map((team) => [`team:${team.id}`, `team ${team.name}`]),
    ...keys.data.filter((key) => !key.revoked_at && binds(session, "key", key.team)).map((key) => [`key:${key.id}`, `key ${key.name}`]),
    ...organisations.data.map((one) => [`organisation:${one.id}`, `organisation ${one.name}`]),
  ];
  const teamOf = new Map(keys.data.map((key) => [key.id, key.team]));
  const lift = (what, row) => binds(session, row.scope, teamOf.get(row.scope_id)) && button("Remove", () => remove(what, row, again), "danger", { "aria-label": `Remove the ${what === "limits" ? "limit" : "budget"} of ${row.name || row.scope}` });
  const sets = scopes.length > 0;
  const one = (text, set, kind) => sets && button(text, () => set(scopes, again), kind);
  return h(
    "div",
    { class: "stack" },
    head("Limits and budgets", "They hold over all workers together. A request must fit every one that applies to it.", one("Set a limit", setLimit, ""), one("Set a budget", setBudget, "main")),
    budgets.data.length ? budgetTable(budgets.data, lift) : empty("No budget", "A budget caps what a team or key may spend in a day, a month or altogether.", one("Set a budget", setBudget, "main")),
    limits.data.length ? limitTable(limits.data, lift) : null,
  );
}

function budgetTable(rows, lift) {
  return table(
    "Budgets",
    [
      ["Whose", (row) => row.name || row.scope],
      ["Per", (row) => row.period],
      ["Spent", (row) => h("div", {}, `${usd(Number(row.spent_usd))} of ${usd(Number(row.usd))}`, meter(Number(row.spent_usd), Number(row.usd), `Spent of the budget of ${row.name || row.scope}`))],
      ["When it is spent", (row) => tag(row.is_hard ? "refuse" : "warn", row.is_hard ? "bad" : "warn")],
      ["Begins anew", (row) => (row.resets_at ? moment(row.resets_at) : "never")],
      ["", (row) => lift("budgets", row)],
    ],
    rows,
    { isCaptionSeen: true },
  );
}

function limitTable(rows, lift) {
  const per = (row) => (row.unit === "concurrent" ? "at once" : WINDOWS.find(([seconds]) => Number(seconds) === row.window_s)?.[1] || `${row.window_s} s`);
  return table(
    "Limits",
    [
      ["Whose", (row) => row.name || row.scope],
      ["At most", (row) => `${count(row.amount)} ${row.unit === "concurrent" ? "requests" : row.unit}`],
      ["Per", per],
      ["Model", (row) => row.model || "all"],
      ["", (row) => lift("limits", row)],
    ],
    rows,
    { isCaptionSeen: true },
  );
}

function setLimit(scopes, again) {
  const send = async (values) => {
    const wanted = { ...target(values.scope), unit: values.unit, amount: Number(values.amount), model: values.model };
    if (values.unit !== "concurrent") wanted.window_s = Number(values.window_s);
    await call("PUT", "/admin/v1/limits", wanted);
    done(box, again, "The limit holds now.");
  };
  const box = dialog("Set a limit", form([
    whose(scopes),
    h("div", { class: "fields" }, field("At most", "amount", { type: "number", min: 0, required: true }), field("Of what", "unit", { choices: UNITS }), field("Per", "window_s", { choices: WINDOWS })),
    field("Only for this model", "model", { hint: "Empty: for all together." }),
  ], send, { cancel: () => box.close() }));
}

function setBudget(scopes, again) {
  const send = async (values) => {
    await call("PUT", "/admin/v1/budgets", { ...target(values.scope), period: values.period, usd: values.usd, is_hard: values.is_hard });
    done(box, again, "The budget holds now.");
  };
  const box = dialog("Set a budget", form([
    whose(scopes),
    h("div", { class: "fields" }, field("US dollars", "usd", { inputmode: "decimal", required: true }), field("Per", "period", { choices: [["day", "day"], ["month", "month"], ["total", "altogether"]], value: "month" })),
    check("Refuse requests when it is spent (else only warn)", "is_hard", { checked: true }),
  ], send, { cancel: () => box.close() }));
}

const whose = (scopes) => field("Whose", "scope", { choices: scopes });

function target(scope) {
  const [kind, id] = scope.split(":");
  return { [kind]: id };
}

function remove(what, row, again) {
  confirm("Remove it?", `${row.name || row.scope} is not held to it from then on.`, async () => {
    await call("DELETE", `/admin/v1/${what}/${encodeURIComponent(row.id)}`);
    again();
  }, "Remove");
}

function done(box, again, text) {
  box.close();
  toast(text);
  again();
}
