// Keys: made, shown once with snippets, limited, rotated, ended.

import { call, get, getOr, post } from "../api.js";
import { h } from "../dom.js";
import { moment } from "../format.js";
import { makesKeys, may, roleIn, roleOfAll } from "../may.js";
import { button, check, code, confirm, copy, dialog, empty, field, form, head, note, table, tabs, tag, toast } from "../parts.js";
import { snippets } from "../snippets.js";

export async function view({ session, signal, argument, again }) {
  const [keys, teams] = await Promise.all([get("/admin/v1/keys", { signal }), getOr("/admin/v1/teams", { data: [] }, { signal })]);
  const live = keys.data.filter((key) => !key.revoked_at);
  const ended = keys.data.filter((key) => key.revoked_at);
  const makes = may(session, "keys.create");
  const open = () => create(session, teams.data, again);
  const make = makes && button("Make a key", open, "main");
  if (argument === "new" && makes) setTimeout(open);
  return h(
    "div",
    { class: "stack" },
    head("Keys", "A key is what your programs call with. Only its hash is kept, so its text is shown once.", make),
    live.length ? list("Keys that work", session, live, again) : empty("No key yet", makes ? "A key takes ten seconds: a name, and you can paste the snippet." : "An owner, admin or member makes them.", makes && button("Make a key", open, "main")),
    ended.length ? h("details", {}, h("summary", {}, `${ended.length} ended`), list("Keys that ended", session, ended, again)) : null,
  );
}

function list(caption, session, keys, again) {
  return table(
    caption,
    [
      ["Name", (key) => key.name],
      ["Key", (key) => h("code", {}, key.shown)],
      ["Team", (key) => key.team || "–"],
      ["Models", (key) => (key.models.length ? key.models.join(", ") : "all")],
      ["State", state],
      ["Made", (key) => moment(key.created_at)],
      ["", (key) => actions(session, key, again)],
    ],
    keys,
  );
}

function state(key) {
  if (key.revoked_at) return tag(`ended ${moment(key.revoked_at)}`, "bad");
  if (key.expires_at && new Date(key.expires_at) <= new Date()) return tag("expired", "bad");
  return key.expires_at ? tag(`until ${moment(key.expires_at)}`, "warn") : tag("works", "good");
}

function actions(session, key, again) {
  if (key.revoked_at || !makesKeys(roleIn(session, key.team))) return "";
  return h(
    "div",
    { class: "row" },
    button("Rotate", () => rotate(key, again), "", { "aria-label": `Rotate ${key.name}` }),
    button("End", () => end(key, again), "danger", { "aria-label": `End ${key.name}` }),
  );
}

function create(session, teams, again) {
  const names = teams.filter((team) => makesKeys(roleIn(session, team.name))).map((team) => team.name);
  const none = makesKeys(roleOfAll(session)) ? [["", "none"]] : [];
  const send = async (values) => {
    const wanted = { name: values.name, team: values.team, models: words(values.models) };
    if (values.networks) wanted.networks = words(values.networks);
    if (values.expires_in_s) wanted.expires_in_s = Number(values.expires_in_s);
    const made = await post("/admin/v1/keys", wanted);
    box.close();
    await reveal(made, again);
  };
  const team = names.length
    ? field("Team", "team", { choices: [...none, ...names], value: names.includes("default") ? "default" : none.length ? "" : names[0], hint: "Its credit pays, its limits hold." })
    : field("Team", "team", { hint: "Which team pays; empty for none.", maxlength: 100 });
  const box = dialog(
    "Make a key",
    form(
      [
        h("div", { class: "fields" }, field("Name", "name", { required: true, maxlength: 100, hint: "Where it will be used.", autocomplete: "off" }), team),
        field("How long it lives", "expires_in_s", { choices: [["", "until it is ended"], ["86400", "a day"], ["2592000", "30 days"], ["7776000", "90 days"], ["31536000", "a year"]] }),
        h("details", {}, h("summary", {}, "Models and networks"), h("div", { class: "form" },
          field("Only these models", "models", { hint: "Names with commas between; empty for all." }),
          field("Only from these networks", "networks", { hint: "Like 10.0.0.0/8, 2001:db8::/32; empty for all." }))),
      ],
      send,
      { submit: "Make the key", cancel: () => box.close() },
    ),
  );
}

export async function reveal(made, again) {
  const models = await getOr("/v1/models", { data: [] });
  const model = models.data.find((one) => one.is_default) || models.data[0];
  const request = { model: made.models?.[0] || model?.id || "MODEL", messages: [{ role: "user", content: "Say hello in five words." }] };
  const secret = h("output", { "aria-label": "The key's text", id: "new-key" }, made.key);
  const box = dialog(
    `The key “${made.name}”`,
    note("warn", "Copy it now: it is shown this once and can't be shown again."),
    h("div", { class: "secret" }, secret, button("Copy", () => copy(made.key, "Key"), "main")),
    !models.data.length && note("warn", "No model can be called yet. Name a provider's key first, under Providers."),
    tabs("Ready to paste", snippets(`${location.origin}/v1`, made.key, request).map(([name, text]) => [name, () => code(text, `${name} snippet`)])),
    h("div", { class: "row end" }, button("Done", () => box.close(), "main")),
  );
  box.addEventListener("close", () => {
    secret.textContent = "";
    if (location.hash === "#/keys/new") location.hash = "#/keys";
    else again();
  });
}

function rotate(key, again) {
  const box = dialog(
    `Rotate “${key.name}”`,
    h("p", {}, "A new text replaces the old one. For a while both work, so that nothing stops."),
    form(
      [field("The old text works for", "overlap_s", { choices: [["3600", "an hour"], ["86400", "a day"], ["604800", "a week"], ["0", "not any more"]], value: "86400" })],
      async (values) => {
        const made = await post(`/admin/v1/keys/${encodeURIComponent(key.id)}/rotate`, { overlap_s: Number(values.overlap_s) });
        box.close();
        await reveal(made, again);
      },
      { submit: "Rotate", cancel: () => box.close() },
    ),
  );
}

function end(key, again) {
  confirm(
    `End “${key.name}”?`,
    "Programs that call with it are refused within a second. Its history stays. This can't be undone.",
    async () => {
      await call("DELETE", `/admin/v1/keys/${encodeURIComponent(key.id)}`);
      toast(`${key.name} is ended.`);
      again();
    },
    "End the key",
  );
}

const words = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);
