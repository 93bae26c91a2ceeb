"""The table of roles, as a table: who may do which verb, and how far."""

import pytest

from wicket.accounts.roles import (
    NOWHERE,
    RIGHTS,
    Actor,
    Grant,
    Reach,
    check_may,
    check_reaches,
    outranks,
    reach,
    verbs_of,
)
from wicket.accounts.tenants import ROLES
from wicket.errors import CallerFault, PermissionFault

TABLE = """
organisations.list    owner admin member viewer
organisations.update  owner
teams.list            owner admin member viewer
teams.create          owner admin
teams.update          owner admin
teams.delete          owner admin
members.list          owner admin member viewer
members.set           owner admin
members.remove        owner admin
users.list            owner admin member viewer
users.create          owner admin
users.update          owner admin
users.password        owner admin
users.delete          owner admin
invitations.list      owner admin
invitations.create    owner admin
invitations.revoke    owner admin
keys.list             owner admin member viewer
keys.create           owner admin member
keys.update           owner admin member
keys.rotate           owner admin member
keys.revoke           owner admin member
audit.list            owner admin
limits.list           owner admin member viewer
limits.set            owner admin
limits.remove         owner admin
budgets.list          owner admin member viewer
budgets.set           owner admin
budgets.remove        owner admin
credits.list          owner admin member viewer
transfers             owner admin member viewer
ledger.accounts       owner admin member viewer
statements.get        owner admin member viewer
savings               owner admin member viewer
usage                 owner admin member viewer
logs                  owner admin member viewer
requests.get          owner admin member viewer
"""
EXPECTED = {line.split()[0]: set(line.split()[1:]) for line in TABLE.strip().splitlines()}


def user(*grants: Grant, organisation_id: int = 2) -> Actor:
    return Actor(kind="user", user_id=5, organisation_id=organisation_id, grants=grants)


def test_the_table_says_all_there_is() -> None:
    assert {verb: set(roles) for verb, roles in RIGHTS.items()} == EXPECTED


@pytest.mark.parametrize("verb", [*EXPECTED, "config.reload", "organisations.create", "never.heard.of"])
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("team_id", [0, 7])
def test_every_role_reaches_its_own_and_no_further(verb: str, role: str, team_id: int) -> None:
    found = reach(user(Grant(role, team_id)), verb)  # type: ignore[arg-type]
    if role not in EXPECTED.get(verb, set()) or (team_id and verb in ("teams.create", "audit.list")):
        assert found == NOWHERE and not found.covers(2, team_id)
        return
    assert found.covers(2, 7) and not found.covers(1, 7) and not found.covers(3, 0)
    assert found.covers(2, 8) == found.covers(2, 0) == (team_id == 0)


@pytest.mark.parametrize("verb", [*EXPECTED, "config.reload", "never.heard.of"])
def test_the_operator_and_the_first_owner_may_do_everything(verb: str) -> None:
    everything = Reach(is_everything=True)
    for kind in ("admin key", "command"):
        assert reach(Actor(kind=kind), verb) == everything
    assert reach(user(Grant("owner"), organisation_id=1), verb) == everything
    for other in (Grant("admin"), Grant("owner", 3)):
        assert reach(user(other, organisation_id=1), verb) != everything
    for kind in ("key", "nobody"):
        assert reach(Actor(kind=kind), verb) == NOWHERE


@pytest.mark.parametrize(
    ("grant", "kind", "team_id", "is_theirs"),
    [
        (Grant("owner"), "organisation", 0, False),
        (Grant("owner"), "team", 7, True),
        (Grant("admin"), "key", 7, True),
        (Grant("admin", 7), "team", 7, False),
        (Grant("admin", 7), "key", 7, True),
        (Grant("admin", 7), "key", 8, False),
        (Grant("admin", 7), "key", 0, False),
        (Grant("member"), "key", 7, False),
    ],
)
def test_nobody_lifts_what_binds_them(grant: Grant, kind: str, team_id: int, is_theirs: bool) -> None:
    within = reach(user(grant), "limits.set")
    assert within.binds(kind, 2, team_id) == is_theirs
    assert not within.binds(kind, 1, team_id) and not within.binds(kind, 3, team_id)
    assert Reach(is_everything=True).binds(kind, 3, team_id)


def test_what_one_may_is_listed() -> None:
    assert verbs_of(Actor(kind="admin key")) == sorted(EXPECTED)
    assert set(verbs_of(user(Grant("viewer")))) == {verb for verb in EXPECTED if "viewer" in EXPECTED[verb]}
    assert set(verbs_of(user(Grant("admin", 7)))) == {
        verb for verb in EXPECTED if "admin" in EXPECTED[verb]
    } - {"teams.create", "audit.list"}
    assert verbs_of(Actor(kind="key")) == []


def test_several_grants_add_up() -> None:
    actor = user(Grant("viewer"), Grant("member", 7))
    assert reach(actor, "keys.list").covers(2, 9)
    assert reach(actor, "keys.create") == Reach(2, frozenset({7}))


def test_what_is_out_of_sight_is_absent_and_what_is_seen_is_refused() -> None:
    absent = CallerFault("unknown_key", "none", status=404)
    viewer = user(Grant("viewer", 7))
    with pytest.raises(CallerFault) as caught:
        check_reaches(viewer, "keys.revoke", 2, 8, absent)
    assert caught.value is absent
    with pytest.raises(PermissionFault):
        check_reaches(viewer, "keys.revoke", 2, 7, absent)
    check_reaches(user(Grant("member", 7)), "keys.revoke", 2, 7, absent)
    with pytest.raises(PermissionFault):
        check_may(viewer, "audit.list")


@pytest.mark.parametrize(
    ("grant", "role", "team_id", "may"),
    [
        (Grant("owner"), "owner", 0, True),
        (Grant("admin"), "owner", 0, False),
        (Grant("admin"), "admin", 0, True),
        (Grant("admin"), "viewer", 7, True),
        (Grant("admin", 7), "member", 7, True),
        (Grant("admin", 7), "member", 0, False),
        (Grant("admin", 7), "member", 8, False),
        (Grant("member"), "viewer", 0, False),
    ],
)
def test_who_gives_which_role(grant: Grant, role: str, team_id: int, may: bool) -> None:
    assert outranks(user(grant), role, team_id) == may  # type: ignore[arg-type]
