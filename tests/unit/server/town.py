"""Two organisations with people of every role."""

from __future__ import annotations

from typing import Any

from tests.unit.server.house import Browser, Tab

PASSWORD = "correct horse"


class Town:
    """Two organisations with two teams each, and somebody of every role in the second one."""

    def __init__(self, address: tuple[str, int], operator: Browser) -> None:
        self.address, self.operator = address, operator
        self.made("users", email="first@example.com", role="owner", password=PASSWORD)
        self.own = self.made("organisations", name="Own")
        self.other = self.made("organisations", name="Other")
        self.red = self.made("teams", name="red", organisation=self.own["id"])
        self.blue = self.made("teams", name="blue", organisation=self.own["id"])
        self.green = self.made("teams", name="green", organisation=self.other["id"])
        self.keys = {
            name: self.made("keys", name=name, team=team["id"], organisation=team["organisation"])
            for name, team in (("red", self.red), ("blue", self.blue), ("green", self.green))
        }
        for role in ("owner", "admin", "member", "viewer"):
            self.user(role, role=role, organisation=self.own["id"])
        self.user("redmember", role="member", team=self.red["id"])
        self.user("redviewer", role="viewer", team=self.red["id"])
        self.user("redadmin", role="admin", team=self.red["id"])
        self.user("stranger", role="owner", organisation=self.other["id"])

    def made(self, kind: str, **body: Any) -> dict[str, Any]:
        status, _, answer = self.operator.ask("POST", f"/admin/v1/{kind}", body)
        assert status == 201, answer
        return dict(answer)

    def user(self, name: str, **body: Any) -> dict[str, Any]:
        return self.made("users", email=f"{name}@example.com", password=PASSWORD, **body)

    def users(self) -> dict[str, str]:
        """Ids by the first part of their addresses."""
        rows = self.operator.ask("GET", "/admin/v1/users")[2]["data"]
        return {row["email"].partition("@")[0]: row["id"] for row in rows}

    def tab(self, name: str) -> Tab:
        tab = Tab(self.address)
        assert tab.enter("sign-in", email=f"{name}@example.com", password=PASSWORD)[0] == 200
        return tab
