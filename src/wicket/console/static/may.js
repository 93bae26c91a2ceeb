// What the signed-in user's role allows: the page offers that and nothing else. The server decides all the same.

const ADMINS = ["owner", "admin"];
const MEMBERS = [...ADMINS, "member"];

export const may = (session, verb) => session.is_operator || session.may.includes(verb);

// The role in the whole organisation, and in a team by its name ("" for what is of no team); null for none.
export const roleOfAll = (session) => (session.is_operator ? "owner" : session.organisation.role);

export function roleIn(session, team) {
  if (session.is_operator) return "owner";
  return session.teams.find((one) => one.name === team)?.role ?? session.organisation.role;
}

export const isAdmin = (role) => ADMINS.includes(role);
export const makesKeys = (role) => MEMBERS.includes(role);

// Limits are set by who stands above: nobody lifts what binds them (docs/accounts.md).
export function binds(session, scope, team) {
  if (session.is_operator) return true;
  if (scope === "organisation") return false;
  return isAdmin(scope === "team" ? roleOfAll(session) : roleIn(session, team));
}

// Whether a user's place is theirs to give and take: an owner's only owners'.
export function outranks(session, user) {
  if (session.is_operator) return true;
  return user.memberships.every((one) => {
    const own = one.team ? roleIn(session, one.team_name) : roleOfAll(session);
    return one.organisation === session.organisation.id && (one.role === "owner" ? own === "owner" : isAdmin(own));
  });
}
