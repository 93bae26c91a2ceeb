// The way in: the first account becomes the owner; later ones come by invitation, or as the house allows.

import { post } from "../api.js";
import { h, put } from "../dom.js";
import { button, field, form, link, note } from "../parts.js";

export function gate(state, entered) {
  const place = h("main", {});
  const invitation = new URLSearchParams(location.hash.split("?")[1] || "").get("invitation") || "";
  const mayJoin = !state.has_owner || state.sign_up === "open" || invitation;
  const showIn = () => put(place, brand(), signIn(state, entered), mayJoin && button("Make an account", showUp, "plain"));
  const showUp = () => put(place, brand(), signUp(state, invitation, entered), state.has_owner && button("I have an account", showIn, "plain"));
  if (!state.has_owner || invitation) showUp();
  else showIn();
  return h("div", { class: "gate" }, place);
}

const brand = () => h("div", { class: "brand" }, h("img", { src: "/console/icon.svg", alt: "" }), "Wicket");

function signIn(state, entered) {
  const send = async (values) => {
    await post("/auth/v1/sign-in", values);
    entered();
  };
  return [
    h("h1", {}, "Sign in"),
    h("p", { class: "quiet" }, state.sign_up === "open" ? "" : "No account? Ask the owner of this Wicket for an invitation."),
    form(
      [
        field("E-mail", "email", { type: "email", autocomplete: "username", required: true }),
        field("Password", "password", { type: "password", autocomplete: "current-password", required: true }),
      ],
      send,
      { submit: "Sign in" },
    ),
    others(state),
  ];
}

function signUp(state, invitation, entered) {
  const send = async (values) => {
    const said = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
    await post("/auth/v1/sign-up", invitation ? { ...said, invitation } : said);
    location.hash = "#/overview";
    entered();
  };
  const isFirst = !state.has_owner;
  return [
    h("h1", {}, isFirst ? "Make the first account" : "Make an account"),
    h("p", { class: "quiet" }, isFirst ? "Whoever makes it owns this Wicket: providers, money, people." : "Then make a key and call a model."),
    form(
      [
        field("E-mail", "email", { type: "email", autocomplete: "username", required: true }),
        field("Password", "password", { type: "password", autocomplete: "new-password", required: true, hint: "At least 10 characters." }),
        field("Your name", "name", { autocomplete: "name" }),
        isFirst && state.needs_setup_code && field("Setup code", "setup_code", { required: true, autocomplete: "one-time-code", hint: "`wicket serve` printed it when it started; the admin key works as well." }),
      ],
      send,
      { submit: isFirst ? "Make the account" : "Sign up" },
    ),
    others(state),
  ];
}

function others(state) {
  if (!state.oidc || !state.oidc.length) return null;
  return [note("", "Or come in by another account:"), h("div", { class: "row" }, state.oidc.map((one) => link(one.title || one.name, `/auth/v1/oidc/${encodeURIComponent(one.name)}/start`)))];
}
