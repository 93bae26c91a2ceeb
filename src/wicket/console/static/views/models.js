// What can be called now: who answers, what it costs, how much it reads.

import { get } from "../api.js";
import { h, put } from "../dom.js";
import { compact, usd } from "../format.js";
import { empty, field, head, link, table, tag } from "../parts.js";

const SHOWN = 200;

export async function view({ signal }) {
  const models = (await get("/v1/models", { signal })).data;
  if (!models.length) {
    return h("div", { class: "stack" }, head("Models"), empty("No model can be called yet", "Give Wicket a provider's key, or start it with a model of its own.", link("Providers", "#/providers", "button main")));
  }
  const place = h("div", {});
  const search = h("form", { role: "search" }, field("Find a model", "words", { type: "search", hint: `${models.length} can be called.` }));
  const show = () => {
    const words = search.elements[0].value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = models.filter((model) => words.every((word) => model.id.toLowerCase().includes(word)));
    put(place, found.length ? listed(found.slice(0, SHOWN)) : empty("No such model", "Try fewer letters."), found.length > SHOWN && h("p", { class: "quiet" }, `The first ${SHOWN} of ${found.length}.`));
  };
  search.addEventListener("input", show);
  search.addEventListener("submit", (event) => event.preventDefault());
  show();
  return h("div", { class: "stack" }, head("Models", "Prices are US dollars for a million tokens."), search, place);
}

function listed(models) {
  const price = (model, kind) => (model.prices?.[kind] === undefined || model.prices[kind] === null ? "–" : usd(model.prices[kind]));
  return table(
    "Models that can be called",
    [
      ["Model", (model) => [model.id, " ", model.is_default ? tag("default", "good") : null, model.engine ? tag(`here: ${model.engine.state}`, model.engine.state === "ready" ? "good" : "warn") : null]],
      ["Answered by", (model) => (model.deployments || []).slice(0, 4).join(", ") || "–"],
      ["Reads", (model) => (model.context_tokens ? compact(model.context_tokens) : "–"), "right"],
      ["Writes", (model) => (model.max_output_tokens ? compact(model.max_output_tokens) : "–"), "right"],
      ["Input", (model) => price(model, "input"), "right"],
      ["Output", (model) => price(model, "output"), "right"],
      ["", (model) => link("Try", `#/playground/${encodeURIComponent(model.id)}`, "")],
    ],
    models,
  );
}
