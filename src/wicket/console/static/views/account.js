// One's own account: password, where one is signed in.

import { call, getOr, post } from "../api.js";
import { h } from "../dom.js";
import { moment } from "../format.js";
import { button, card, facts, field, form, head, table, tag, toast } from "../parts.js";

export async function view({ session, signal, again }) {
  const sessions = await getOr("/auth/v1/sessions", { data: [] }, { signal });
  return h(
    "div",
    { class: "stack" },
    head("Your account", session.user.email),
    facts([["name", session.user.name || "–"], ["organisation", session.organisation.name], ["role", session.role]]),
    card("Change the password", form(
      [h("div", { class: "fields" }, field("The old one", "old", { type: "password", autocomplete: "current-password", required: true }), field("The new one", "new", { type: "password", autocomplete: "new-password", required: true, hint: "At least 10 characters." }))],
      async (values) => {
        await post("/auth/v1/password", values);
        toast("The password is changed; everywhere else you are signed out.");
        again();
      },
      { submit: "Change it" },
    )),
    table(
      "Where you are signed in",
      [
        ["Since", (one) => moment(one.created_at)],
        ["Last used", (one) => moment(one.seen_at)],
        ["From", (one) => one.address || "–"],
        ["", (one) => (one.is_current ? tag("this browser", "good") : button("Sign out there", () => end(one, again)))],
      ],
      sessions.data,
      { isCaptionSeen: true },
    ),
  );
}

async function end(one, again) {
  await call("DELETE", `/auth/v1/sessions/${encodeURIComponent(one.id)}`);
  again();
}
