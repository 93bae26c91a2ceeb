// The way in: the first account becomes the owner; later ones come by invitation, or as the house allows.

import { post } from "../api.js";
import { h, put } from "../dom.js";
import { button, field, form, link, note } from "../parts.js";

const OTHERS_SIDE = "The other side and this Wicket did not understand each other. Whoever runs this Wicket has to look at it.";
const WHY = {
  unknown_state: "It took longer than ten minutes, or began in another browser. Try again.",
  provider_refused: "The other side refused: you cancelled there, or it does not let you in here.",
  wrong_issuer: OTHERS_SIDE,
  bad_id_token: OTHERS_SIDE,
  oidc_discovery: OTHERS_SIDE,
  oidc_unreachable: "The other side can't be reached now. Try again later, or sign in with a password.",
  missing_package: "Whoever runs this Wicket has to install wicket[oidc] first.",
  unverified_email: "The other side has not verified your e-mail address.",
  signs_in_otherwise: "There is a user with your address who signs in otherwise: use the password.",
  not_invited: "Nobody with your address is a user here; ask an owner or admin to add you.",
  no_owner: "Nobody owns this Wicket yet: its owner signs up first.",
  no_organisation: "You are a member of no active organisation here; ask whoever invited you.",
  suspended_user: "You are suspended here; ask an owner or admin.",
  unknown_provider: "There is no such way in here any more.",
  too_many_attempts: "There were too many attempts; come back in some minutes.",
  insecure_transport: "Signing in takes HTTPS, or a browser on the server's own machine.",
};

export const whyNot = (code) => `You are not signed in. ${WHY[code] || `The reason has the code ${code}.`}`;

export function gate(state, entered, why = "") {
  const place = h("main", {});
  const invitation = new URLSearchParams(location.hash.split("?")[1] || "").get("invitation") || "";
  const mayJoin = !state.has_owner || state.sign_up === "open" || invitation;
  const showIn = () => put(place, brand(), told(), signIn(state, entered), mayJoin && button("Make an account", showUp, "plain"));
  const told = () => why && h("p", { class: "note bad", role: "alert" }, why);
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
