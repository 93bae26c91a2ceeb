// Providers: who can be asked, whose key is missing, keys put in (never shown again).

import { call, get } from "../api.js";
import { h, put } from "../dom.js";
import { button, confirm, dialog, empty, field, form, head, note, table, tag, toast } from "../parts.js";

export async function view({ signal, again }) {
  const { data, is_file_in_force: isFile } = await get("/admin/v1/providers", { signal });
  const here = data.filter((one) => one.is_configured);
  const others = data.filter((one) => !one.is_configured);
  return h(
    "div",
    { class: "stack" },
    head("Providers", "Whose models Wicket may ask. Keys can be put in and replaced, never read."),
    isFile && note("", "A configuration file is in force: providers are declared there. Keys put in here serve those that it declares without one."),
    here.length ? listed("Configured", here, again) : empty("No provider yet", "Put in the key of one below, or set its variable (like OPENAI_API_KEY) before `wicket serve`. The local model works without any."),
    catalogue(others, again),
  );
}

function listed(caption, rows, again) {
  return table(
    caption,
    [
      ["Provider", (row) => [row.title || row.name, " ", h("code", { class: "quiet" }, row.name)]],
      ["Key", (row) => keyState(row)],
      ["Models", (row) => String(row.models ?? "–"), "right"],
      ["", (row) => h("div", { class: "row" }, button(row.has_credential ? "Replace key" : "Put in a key", () => putIn(row, again), row.has_credential ? "" : "main", { "aria-label": `Key of ${row.title || row.name}` }), row.is_stored_here ? button("Remove key", () => remove(row, again), "danger", { "aria-label": `Remove the key of ${row.title || row.name}` }) : null)],
    ],
    rows,
    { isCaptionSeen: true },
  );
}

function keyState(row) {
  if (row.auth === "none") return tag("needs none", "good");
  if (!row.has_credential) return [tag("missing", "warn"), row.env?.length ? h("span", { class: "quiet small" }, ` ${row.env[0]}`) : null];
  return tag(row.is_stored_here ? "put in here" : `from ${row.source || "the environment"}`, "good");
}

function catalogue(rows, again) {
  const place = h("div", {});
  const search = h("form", { role: "search" }, field("Find a provider", "words", { type: "search", hint: `${rows.length} more are known.` }));
  const show = () => {
    const words = search.elements[0].value.toLowerCase();
    const found = rows.filter((row) => `${row.name} ${row.title}`.toLowerCase().includes(words));
    put(place, found.length ? listed("Known providers", found, again) : empty("Not known by that name", "Any OpenAI-compatible server can be added in wicket.toml by its address."));
  };
  search.addEventListener("input", show);
  search.addEventListener("submit", (event) => event.preventDefault());
  show();
  return h("section", { class: "stack" }, search, place);
}

function putIn(row, again) {
  const box = dialog(`The key of ${row.title || row.name}`, form(
    [field("Key", "key", { type: "password", autocomplete: "off", required: true, hint: "Kept in a private file in Wicket's folder; it can't be read back here." })],
    async (values) => {
      await call("PUT", `/admin/v1/credentials/${encodeURIComponent(row.name)}`, values);
      box.close();
      toast(`${row.title || row.name} can be asked now.`);
      again();
    },
    { submit: "Put it in", cancel: () => box.close() },
  ));
}

function remove(row, again) {
  confirm(`Remove the key of ${row.title || row.name}?`, "Its models can't be asked from then on, unless the environment has a key as well.", async () => {
    await call("DELETE", `/admin/v1/credentials/${encodeURIComponent(row.name)}`);
    again();
  }, "Remove");
}
