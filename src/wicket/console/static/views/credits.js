// Prepaid credit: who has how much, what moved it, adding to it.

import { get, getOr, post, query } from "../api.js";
import { h } from "../dom.js";
import { may } from "../may.js";
import { balance, moment, usd } from "../format.js";
import { button, dialog, empty, field, form, head, table, tag, toast } from "../parts.js";

export async function view({ session, signal, again }) {
  const [credits, transfers, teams] = await Promise.all([
    get("/admin/v1/credits", { signal }),
    getOr(`/admin/v1/transfers${query({ limit: 50 })}`, { data: [] }, { signal }),
    getOr("/admin/v1/teams", { data: [] }, { signal }),
  ]);
  const adds = may(session, "credits.add");
  const more = () => adds && button("Add credit", () => add(teams.data, again), "main");
  return h(
    "div",
    { class: "stack" },
    head("Credits", "What is paid before it is used. A request is held at its most, then charged what it cost.", more()),
    credits.data.length ? balances(credits.data) : empty("No prepaid credit", adds ? "Without it, requests are counted and can be billed later. With it, a team spends what it has and not more." : "Whoever runs this Wicket adds credit; until then requests are counted and can be billed later.", more()),
    transfers.data.length ? moved(transfers.data) : null,
  );
}

function balances(rows) {
  return table(
    "Balances",
    [
      ["Whose", (row) => row.name || row.scope],
      ["Kind", (row) => row.scope.split(":")[0]],
      ["Left", (row) => h("strong", {}, balance(Number(row.balance_usd))), "right"],
      ["Of it promotional", (row) => usd(Number(row.granted_usd || 0)), "right"],
      ["State", (row) => (Number(row.balance_usd) <= 0 ? tag("empty", "bad") : tag("there", "good"))],
    ],
    rows,
    { isCaptionSeen: true },
  );
}

function moved(rows) {
  return table(
    "The newest movements",
    [
      ["When", (row) => moment(row.at)],
      ["What", (row) => row.kind],
      ["From", (row) => row.debit],
      ["To", (row) => row.credit],
      ["Amount", (row) => usd(Number(row.usd)), "right"],
      ["Request or note", (row) => row.request_id || row.memo || ""],
    ],
    rows,
    { isCaptionSeen: true },
  );
}

function add(teams, again) {
  const once = crypto.randomUUID(); // the same for every try of this form, so that two clicks add it once
  const names = teams.map((team) => team.name);
  const send = async (values) => {
    const wanted = { team: values.team, usd: values.usd, idempotency_key: once, kind: values.kind };
    if (values.memo) wanted.memo = values.memo;
    if (values.kind === "grant" && values.expires_in_s) wanted.expires_in_s = Number(values.expires_in_s);
    await post("/admin/v1/credits", wanted);
    box.close();
    toast(`${usd(Number(values.usd))} added to ${values.team}.`);
    again();
  };
  const box = dialog(
    "Add credit",
    form(
      [
        h("div", { class: "fields" },
          names.length ? field("Team", "team", { choices: names, value: names.includes("default") ? "default" : names[0] }) : field("Team", "team", { required: true, hint: "It is made if it does not exist." }),
          field("US dollars", "usd", { inputmode: "decimal", required: true, value: "5", hint: "Like 5 or 0.25." })),
        h("div", { class: "fields" },
          field("Kind", "kind", { choices: [["top_up", "paid"], ["grant", "promotional: spent first"]], hint: "Promotional credit can expire." }),
          field("A promotional one expires", "expires_in_s", { choices: [["", "never"], ["2592000", "in 30 days"], ["7776000", "in 90 days"]] })),
        field("Note", "memo", { maxlength: 200 }),
      ],
      send,
      { submit: "Add it", cancel: () => box.close() },
    ),
  );
}

