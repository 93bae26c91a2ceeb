"""Who may do what: a table from verb to roles, and how far an actor's word reaches. Pure.

The operator (admin key, or a command on the server's machine) may do everything. So may an owner of the first
organisation, the house's own: whoever signed up first. Everybody else is bound to the organisation of their
session, and with a team's membership to that team.
"""

from __future__ import annotations

import msgspec

from wicket.accounts.scopes import DEFAULT_ORGANISATION
from wicket.accounts.tenants import Role
from wicket.errors import CallerFault, PermissionFault

OWNER: frozenset[Role] = frozenset({"owner"})
ADMINS: frozenset[Role] = OWNER | {"admin"}
MEMBERS: frozenset[Role] = ADMINS | {"member"}
READERS: frozenset[Role] = MEMBERS | {"viewer"}

# A verb that is not here is the house's: the operator and owners of the first organisation may ask it.
RIGHTS: dict[str, frozenset[Role]] = {
    "organisations.list": READERS,
    "organisations.update": OWNER,
    "teams.list": READERS,
    "teams.create": ADMINS,
    "teams.update": ADMINS,
    "teams.delete": ADMINS,
    "members.list": READERS,
    "members.set": ADMINS,
    "members.remove": ADMINS,
    "users.list": READERS,
    "users.create": ADMINS,
    "users.update": ADMINS,
    "users.password": ADMINS,
    "users.delete": ADMINS,
    "invitations.list": ADMINS,
    "invitations.create": ADMINS,
    "invitations.revoke": ADMINS,
    "keys.list": READERS,
    "keys.create": MEMBERS,
    "keys.update": MEMBERS,
    "keys.rotate": MEMBERS,
    "keys.revoke": MEMBERS,
    "audit.list": ADMINS,
    "limits.list": READERS,
    "limits.set": ADMINS,
    "limits.remove": ADMINS,
    "budgets.list": READERS,
    "budgets.set": ADMINS,
    "budgets.remove": ADMINS,
    "credits.list": READERS,
    "transfers": READERS,
    "ledger.accounts": READERS,
    "statements.get": READERS,
    "savings": READERS,
    "usage": READERS,
    "logs": READERS,
    "requests.get": READERS,
}
# What is of the whole organisation: a role in one team does not do.
OF_ALL = frozenset({"teams.create", "audit.list"})
# What one must be able to see to be told that one may not change it.
_SEEN_BY = {"organisations": "organisations.list", "teams": "teams.list", "members": "teams.list"}


class Grant(msgspec.Struct, frozen=True):
    """A role in the whole organisation (`team_id` 0) or in one team."""

    role: Role
    team_id: int = 0


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks a verb. `kind` is "admin key", "command", "user", "key" or "nobody"."""

    kind: str
    id: str = ""  # public
    name: str = ""
    user_id: int = 0
    session_id: int = 0
    organisation_id: int = 0
    grants: tuple[Grant, ...] = ()
    request_id: str = ""
    address: str = ""

    @property
    def is_operator(self) -> bool:
        """Whether it is the operator."""
        return self.kind in ("admin key", "command")

    @property
    def is_of_the_house(self) -> bool:
        """Whether everything is theirs to do: the operator, or an owner of the first organisation."""
        is_first = self.organisation_id == DEFAULT_ORGANISATION
        return self.is_operator or (is_first and Grant("owner") in self.grants)


class Reach(msgspec.Struct, frozen=True):
    """What an actor's word on something covers. `team_ids` None: the whole organisation."""

    organisation_id: int = 0
    team_ids: frozenset[int] | None = None
    is_everything: bool = False

    def covers(self, organisation_id: int, team_id: int = 0) -> bool:
        """Whether something of that organisation and team (0: none) lies within."""
        if self.is_everything:
            return True
        is_ours = organisation_id == self.organisation_id
        return is_ours and (self.team_ids is None or team_id in self.team_ids)

    def binds(self, kind: str, organisation_id: int, team_id: int = 0) -> bool:
        """Whether limits of a scope of that kind are theirs to set and lift: whoever is bound does not.

        A key's are its team's admins' business, a team's the whole organisation's, an organisation's the
        house's.
        """
        if self.is_everything:
            return True
        return kind != "organisation" and self.covers(organisation_id, team_id if kind == "key" else 0)


NOWHERE = Reach(team_ids=frozenset())


def reach(actor: Actor, verb: str) -> Reach:
    """How far the actor may do it; `NOWHERE` if not at all."""
    if actor.is_of_the_house:
        return Reach(is_everything=True)
    roles = RIGHTS.get(verb, frozenset())
    teams = frozenset(grant.team_id for grant in actor.grants if grant.role in roles)
    if verb in OF_ALL:
        teams &= {0}
    if not teams:
        return NOWHERE
    return Reach(actor.organisation_id, None if 0 in teams else teams)


def verbs_of(actor: Actor) -> list[str]:
    """All that the actor may ask of what is in the table, somewhere at least; sorted."""
    return sorted(verb for verb in RIGHTS if reach(actor, verb) != NOWHERE)


def check_may(actor: Actor, verb: str) -> Reach:
    """How far the actor may do it. Raises `PermissionFault` if not at all."""
    found = reach(actor, verb)
    if found == NOWHERE:
        raise PermissionFault("not_allowed", "Your role here does not allow this; ask an owner or admin.")
    return found


def check_reaches(actor: Actor, verb: str, organisation_id: int, team_id: int, absent: CallerFault) -> None:
    """Raises `absent` for what the actor can't even see, `PermissionFault` for what may only be looked at."""
    family = verb.partition(".")[0]
    if not reach(actor, _SEEN_BY.get(family, f"{family}.list")).covers(organisation_id, team_id):
        raise absent
    if not check_may(actor, verb).covers(organisation_id, team_id):
        raise PermissionFault("not_allowed", "Your role here does not allow this; ask an owner or admin.")


def outranks(actor: Actor, role: Role, team_id: int = 0) -> bool:
    """Whether the actor may give or take this role there: an owner's only owners may."""
    if actor.is_of_the_house:
        return True
    needed = OWNER if role == "owner" else ADMINS
    return any(grant.role in needed and grant.team_id in (0, team_id) for grant in actor.grants)
