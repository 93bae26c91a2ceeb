// Teams, the people in them, invitations.

import { call, get, getOr, post } from "../api.js";
import { h } from "../dom.js";
import { moment } from "../format.js";
import { isAdmin, may, outranks, roleIn, roleOfAll } from "../may.js";
import { button, confirm, copy, dialog, field, form, head, note, table, tag, toast } from "../parts.js";

const ROLES = [["member", "member: makes keys, uses models"], ["viewer", "viewer: sees usage"], ["admin", "admin: keys, limits, people"], ["owner", "owner: everything of the organisation"]];

export async function view({ session, signal, again }) {
  const [teams, users, invitations] = await Promise.all([
    get("/admin/v1/teams", { signal }),
    getOr("/admin/v1/users", { data: [] }, { signal }),
    may(session, "invitations.list") ? getOr("/admin/v1/invitations", { data: [] }, { signal }) : { data: [] },
  ]);
  const open = invitations.data.filter((one) => !one.used_at && new Date(one.expires_at) > new Date());
  return h(
    "div",
    { class: "stack" },
    head("Teams and people", "A team has keys, credit and limits of its own. People act by their role.",
      may(session, "teams.create") && button("Make a team", () => makeTeam(again)),
      may(session, "invitations.create") && button("Invite somebody", () => invite(session, teams.data, again), "main")),
    teamTable(teams.data, session, again),
    userTable(users.data, session, again),
    open.length ? table("Open invitations", [["For", (one) => one.email || "whoever has the link"], ["Role", (one) => one.role], ["Until", (one) => moment(one.expires_at)]], open, { isCaptionSeen: true }) : null,
  );
}

function teamTable(teams, session, again) {
  return table(
    "Teams",
    [
      ["Team", (team) => team.name],
      ["State", (team) => tag(team.status, team.status === "active" ? "good" : "bad")],
      ["Made", (team) => moment(team.created_at)],
      ["", (team) => (isAdmin(roleIn(session, team.name)) ? standing("teams", team, again) : "")],
    ],
    teams.filter((team) => team.status !== "deleted"),
    { isCaptionSeen: true },
  );
}

function userTable(users, session, again) {
  return table(
    "People",
    [
      ["Name", (user) => [user.name || user.email, user.id === session.user.id ? " (you)" : ""]],
      ["E-mail", (user) => user.email],
      ["Role", (user) => user.role || "–"],
      ["State", (user) => tag(user.status, user.status === "active" ? "good" : "bad")],
      ["", (user) => (user.id !== session.user.id && may(session, "users.update") && outranks(session, user) ? standing("users", user, again) : "")],
    ],
    users.filter((user) => user.status !== "deleted"),
    { isCaptionSeen: true },
  );
}

function standing(what, row, again) {
  const isActive = row.status === "active";
  const name = row.name || row.email;
  const turn = () =>
    confirm(
      isActive ? `Suspend ${name}?` : `Let ${name} back in?`,
      isActive ? (what === "teams" ? "All its keys are refused within a second; nothing is lost." : "They are signed out and can't come in until you let them.") : "Everything is as it was before.",
      async () => {
        await call("PATCH", `/admin/v1/${what}/${encodeURIComponent(row.id)}`, { status: isActive ? "suspended" : "active" });
        again();
      },
      isActive ? "Suspend" : "Let back in",
    );
  return button(isActive ? "Suspend" : "Let back in", turn, isActive ? "danger" : "", { "aria-label": `${isActive ? "Suspend" : "Let back in"}: ${name}` });
}

function makeTeam(again) {
  const box = dialog("Make a team", form([field("Name", "name", { required: true, maxlength: 100 })], async (values) => {
    await post("/admin/v1/teams", values);
    box.close();
    toast(`The team ${values.name} is made.`);
    again();
  }, { submit: "Make the team", cancel: () => box.close() }));
}

function invite(session, teams, again) {
  const names = teams.filter((team) => team.status === "active" && isAdmin(roleIn(session, team.name))).map((team) => team.name);
  const all = isAdmin(roleOfAll(session)) ? [["", "all teams"]] : [];
  const roles = ROLES.filter(([role]) => role !== "owner" || roleOfAll(session) === "owner");
  const box = dialog("Invite somebody", form(
    [
      field("E-mail", "email", { type: "email", hint: "Only this address can use the link; empty: whoever has it." }),
      h("div", { class: "fields" }, field("Role", "role", { choices: roles }), field("Team", "team", { choices: [...all, ...names] })),
    ],
    async (values) => {
      const wanted = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
      const made = await post("/admin/v1/invitations", wanted);
      box.close();
      showLink(made, again);
    },
    { submit: "Make the link", cancel: () => box.close() },
  ));
}

function showLink(made, again) {
  const url = made.url || `${location.origin}/#/join?invitation=${encodeURIComponent(made.code)}`;
  const box = dialog("The invitation", note("", `Send this link; no mail is sent for you. It works once, until ${moment(made.expires_at)}.`), h("div", { class: "secret" }, h("output", {}, url), button("Copy", () => copy(url, "Link"), "main")), h("div", { class: "row end" }, button("Done", () => box.close(), "main")));
  box.addEventListener("close", again);
}
