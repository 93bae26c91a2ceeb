// What views are put together from: fields, tables, dialogs, messages.

import { ApiFault } from "./api.js";
import { freshId, h, put } from "./dom.js";

export function head(title, lead, ...actions) {
  return h("div", { class: "head" }, h("div", {}, h("h1", { tabindex: "-1" }, title), lead && h("p", {}, lead)), h("div", { class: "row" }, actions));
}

export const card = (title, ...children) => h("section", { class: "card" }, title && h("h2", {}, title), children);

export const tag = (text, kind = "") => h("span", { class: `tag ${kind}` }, text);

export const note = (kind, ...children) => h("p", { class: `note ${kind}` }, children);

export function button(text, action, kind = "", more = {}) {
  return h("button", { type: "button", class: kind, onclick: action, ...more }, text);
}

export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

export function empty(title, text, ...actions) {
  return h("div", { class: "empty" }, h("h2", {}, title), h("p", {}, text), h("div", { class: "row" }, actions));
}

export const link = (text, to, kind = "button") => h("a", { href: to, class: kind }, text);

// columns: [title, row → content, "right"?]; a row that opens something says how.
export function table(caption, columns, rows, options = {}) {
  const body = h("tbody", {}, rows.map((row) => tableRow(columns, row, options)));
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", { class: options.isCaptionSeen ? "" : "unseen" }, caption),
      h("thead", {}, h("tr", {}, columns.map(([title, , side]) => h("th", { scope: "col", class: side }, title || h("span", { class: "unseen" }, "What can be done"))))),
      body,
    ),
  );
}

export function tableRow(columns, row, options = {}) {
  const cells = columns.map(([, show, side], place) => h(place ? "td" : "th", { scope: place ? undefined : "row", class: side }, show(row)));
  return h("tr", options.open ? { class: "opens", onclick: (event) => event.target.closest("a, button") || options.open(row) } : {}, cells);
}

// One field of a form: a label, its control, a hint, a place for what is wrong with it.
export function field(label, name, options = {}) {
  const id = freshId(name);
  const { hint, choices, rows, ...rest } = options;
  const properties = { id, name, "aria-describedby": `${id}-hint`, ...rest };
  const control = choices
    ? h("select", { ...properties, value: undefined }, choices.map((choice) => optionOf(choice, rest.value)))
    : h(rows ? "textarea" : "input", rows ? { ...properties, rows } : properties);
  return h("div", { class: "field" }, h("label", { for: id }, label), control, h("div", { id: `${id}-hint` }, hint && h("p", { class: "hint" }, hint), h("p", { class: "wrong", hidden: true })));
}

function optionOf(choice, chosen) {
  const [value, text] = Array.isArray(choice) ? choice : [choice, choice];
  return h("option", { value, selected: value === chosen }, text);
}

export function check(label, name, options = {}) {
  const id = freshId(name);
  return h("label", { class: "check", for: id }, h("input", { type: "checkbox", id, name, ...options }), label);
}

// A form that sends what is in it. `send(values)` may throw: the field that the server names shows why.
export function form(fields, send, options = {}) {
  const message = h("p", { class: "note bad", role: "alert", hidden: true });
  const submit = h("button", { type: "submit", class: "main" }, options.submit || "Save");
  const cancel = options.cancel && button("Cancel", options.cancel);
  const element = h("form", { class: "form", novalidate: true }, message, fields, h("div", { class: "row end" }, submit, cancel, options.more));
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearFaults(element);
    submit.disabled = true;
    try {
      await send(valuesOf(element));
    } catch (fault) {
      showFault(element, message, fault);
    } finally {
      submit.disabled = false;
    }
  });
  return element;
}

export function valuesOf(element) {
  const values = {};
  for (const control of element.elements) {
    if (!control.name) continue;
    values[control.name] = control.type === "checkbox" ? control.checked : control.value.trim();
  }
  return values;
}

function clearFaults(element) {
  for (const wrong of element.querySelectorAll(".wrong, .note[role=alert]")) wrong.hidden = true;
  for (const control of element.elements) control.removeAttribute("aria-invalid");
}

function showFault(element, message, fault) {
  const param = fault instanceof ApiFault ? fault.param : "";
  const control = param && [...element.elements].find((one) => one.name === param);
  const place = control && control.closest(".field")?.querySelector(".wrong");
  const target = place || message;
  target.textContent = fault.message;
  target.hidden = false;
  if (!control) return message.scrollIntoView({ block: "nearest" });
  control.setAttribute("aria-invalid", "true");
  control.focus();
}

export function dialog(title, ...children) {
  const id = freshId("dialog");
  const element = h("dialog", { "aria-labelledby": id }, h("div", { class: "inside" }, h("h2", { id }, title), children));
  element.addEventListener("close", () => element.remove());
  document.body.append(element);
  element.showModal();
  return element;
}

export function confirm(title, text, act, word, { kind = "danger", no = "Keep it" } = {}) {
  const message = h("p", { class: "note bad", role: "alert", hidden: true });
  const go = button(word, async () => {
    go.disabled = true;
    try {
      await act();
      box.close();
    } catch (fault) {
      message.textContent = fault.message;
      message.hidden = false;
      go.disabled = false;
    }
  }, kind);
  const box = dialog(title, h("p", {}, text), message, h("div", { class: "row end" }, button(no, () => box.close()), go));
  return box;
}

export function toast(text) {
  const element = h("div", { class: "toast" }, text);
  document.getElementById("toasts").append(element);
  setTimeout(() => element.remove(), 4500);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied.`);
  } catch {
    toast(`Your browser did not allow copying: select the text and copy it yourself.`);
  }
}

export function code(text, what = "Snippet") {
  return h("div", { class: "code" }, h("pre", { tabindex: "0", role: "region", "aria-label": what }, h("code", {}, text)), button("Copy", () => copy(text, what), "", { "aria-label": `Copy: ${what}` }));
}

// Tabs as the ARIA practice has them: arrow keys move, the panel follows.
export function tabs(label, entries) {
  const panel = h("div", { role: "tabpanel", id: freshId("panel"), tabindex: "0" });
  const buttons = entries.map(([name, make], place) =>
    h("button", { type: "button", role: "tab", id: freshId("tab"), "aria-controls": panel.id, onclick: () => choose(place) }, name),
  );
  const choose = (place) => {
    buttons.forEach((one, index) => {
      one.setAttribute("aria-selected", String(index === place));
      one.tabIndex = index === place ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", buttons[place].id);
    put(panel, entries[place][1]());
  };
  const list = h("div", { role: "tablist", class: "tabs", "aria-label": label }, buttons);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length;
    choose(next);
    buttons[next].focus();
  });
  choose(0);
  return h("div", { class: "stack" }, list, panel);
}
