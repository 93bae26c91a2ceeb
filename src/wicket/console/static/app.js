// The frame around the views: who is signed in, which view is shown, light or dark.

import { ApiFault, get, post, useSession } from "./api.js";
import { h, put } from "./dom.js";
import { may } from "./may.js";
import { button, confirm, note, toast } from "./parts.js";
import { gate, whyNot } from "./views/gate.js";

const root = document.getElementById("app");
// name, title, the verb without which it shows nothing
const VIEWS = [
  ["", [
    ["overview", "Overview", ""],
    ["playground", "Playground", "keys.create"],
    ["keys", "Keys", "keys.list"],
    ["requests", "Requests", "logs"],
  ]],
  ["Money", [
    ["usage", "Usage and savings", "usage"],
    ["credits", "Credits", "credits.list"],
    ["limits", "Limits and budgets", "limits.list"],
  ]],
  ["House", [
    ["models", "Models", ""],
    ["providers", "Providers", "providers.list"],
    ["health", "Health", "status"],
    ["people", "Teams and people", "teams.list"],
    ["audit", "Audit log", "audit.list"],
  ]],
];
const TITLES = new Map([...VIEWS.flatMap(([, views]) => views), ["account", "Your account"]]);

let showing = new AbortController();
let session = null;

theme(localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
addEventListener("hashchange", () => {
  if (!session) return;
  show();
  takeUp();
});
start();

async function start() {
  let state;
  try {
    state = await get("/auth/v1/state");
  } catch (fault) {
    put(root, h("div", { class: "gate" }, h("main", {}, note("bad", fault.message), button("Try again", start))));
    return;
  }
  session = state.session;
  const why = failedSignIn();
  if (!session) {
    useSession("", () => {});
    document.title = "Sign in · Wicket";
    put(root, gate(state, start, why));
    return;
  }
  useSession(session.csrf, start);
  put(root, shell());
  if (why) toast(why);
  show();
  takeUp();
}

// An invitation's link, opened by somebody who has an account already.
function takeUp() {
  const found = /^#\/join\?invitation=([^&]+)$/.exec(location.hash);
  if (!found) return;
  history.replaceState(null, "", "#/overview");
  confirm("Join another organisation?", "This invitation makes you a member of one organisation more. You go on there, and come back by the chooser below the menu.", async () => {
    await post("/auth/v1/join", { invitation: decodeURIComponent(found[1]) });
    location.reload();
  }, "Join", { kind: "main", no: "Not now" });
}

// What an OpenID provider's answer came to, as the server's redirect tells it; it is told once.
function failedSignIn() {
  const found = /^#sign_in_error=([a-z_]{1,60})$/.exec(location.hash);
  if (!found) return "";
  history.replaceState(null, "", location.pathname);
  return whyNot(found[1]);
}

function shell() {
  const side = h("nav", { class: "side", id: "side", "aria-label": "Wicket" }, brand(), VIEWS.map(group), foot());
  const menu = button("Menu", () => {
    const isOpen = side.classList.toggle("open");
    menu.setAttribute("aria-expanded", String(isOpen));
  }, "", { "aria-expanded": "false", "aria-controls": "side" });
  side.addEventListener("click", (event) => {
    if (!event.target.closest("a")) return;
    side.classList.remove("open");
    menu.setAttribute("aria-expanded", "false");
  });
  return [
    h("a", { class: "skip", href: "#main", onclick: skip }, "Skip to the content"),
    h("div", { class: "shell" }, h("header", { class: "bar" }, brand(), menu), side, h("main", { id: "main" })),
    h("div", { class: "toasts", id: "toasts", role: "status", "aria-live": "polite" }),
  ];
}

const brand = () => h("a", { class: "brand", href: "#/overview" }, h("img", { src: "/console/icon.svg", alt: "" }), "Wicket");

function group([title, views]) {
  const seen = views.filter(([, , verb]) => !verb || may(session, verb));
  return seen.length > 0 && [title && h("h2", {}, title), h("ul", {}, seen.map(([name, text]) => h("li", {}, h("a", { href: `#/${name}`, "data-view": name }, text))))];
}

function foot() {
  const isDark = () => document.documentElement.dataset.theme === "dark";
  const turn = button(isDark() ? "Light" : "Dark", () => {
    theme(isDark() ? "light" : "dark");
    localStorage.setItem("theme", document.documentElement.dataset.theme);
    turn.textContent = isDark() ? "Light" : "Dark";
  }, "", { "aria-label": "Light or dark colours" });
  return h(
    "div",
    { class: "foot" },
    h("a", { class: "who", href: "#/account", "data-view": "account" }, session.user.name || session.user.email),
    session.organisations.length > 1 && elsewhere(),
    h("div", { class: "row" }, button("Sign out", signOut), turn),
  );
}

function elsewhere() {
  const chooser = h("select", { "aria-label": "Organisation" }, session.organisations.map((one) => h("option", { value: one.id, selected: one.id === session.organisation.id }, one.name)));
  chooser.addEventListener("change", async () => {
    try {
      await post("/auth/v1/organisation", { organisation: chooser.value });
    } catch (fault) {
      toast(fault.message);
      chooser.value = session.organisation.id;
      return;
    }
    location.hash = "#/overview";
    location.reload(); // nothing of the other organisation stays in the page's memory
  });
  return chooser;
}

function skip(event) {
  event.preventDefault();
  document.querySelector("main h1")?.focus();
}

async function signOut() {
  await post("/auth/v1/sign-out").catch(() => {});
  location.hash = "";
  start();
}

function theme(name) {
  document.documentElement.dataset.theme = name;
}

async function show() {
  showing.abort();
  showing = new AbortController();
  const { signal } = showing;
  const [name, ...rest] = location.hash.replace(/^#\//, "").split("/");
  const view = TITLES.has(name) ? name : "overview";
  const main = document.getElementById("main");
  document.title = `${TITLES.get(view)} · Wicket`;
  for (const each of document.querySelectorAll("[data-view]")) {
    if (each.dataset.view === view) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  }
  main.setAttribute("aria-busy", "true");
  try {
    const module = await import(`./views/${view}.js`);
    const content = await module.view({ session, signal, argument: rest.map(decodeURIComponent).join("/"), again: show });
    if (signal.aborted) return;
    put(main, content);
    main.dataset.shown = view;
    main.querySelector("h1")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  } catch (fault) {
    if (signal.aborted) return;
    put(main, h("div", { class: "head" }, h("h1", {}, TITLES.get(view))), failure(fault), button("Try again", show));
    if (!(fault instanceof ApiFault)) console.error(fault);
  } finally {
    if (!signal.aborted) main.removeAttribute("aria-busy");
  }
}

function failure(fault) {
  if (fault instanceof ApiFault && fault.status === 403) {
    return note("warn", "Your role does not allow this view. An owner or admin of your organisation can change it under Teams and people.");
  }
  return note("bad", fault.message);
}
