// Who changed what, when and from where.

import { get, query } from "../api.js";
import { h } from "../dom.js";
import { moment } from "../format.js";
import { button, empty, head, table } from "../parts.js";

const PAGE = 100;

export async function view({ signal }) {
  const first = await get(`/admin/v1/audit${query({ limit: PAGE })}`, { signal });
  const place = h("div", { class: "stack" });
  const show = (found) => {
    place.append(listed(found.data));
    if (found.data.length < PAGE) return;
    const more = button("Older ones", async () => {
      more.remove();
      show(await get(`/admin/v1/audit${query({ limit: PAGE, before: found.data.at(-1).id })}`, { signal }));
    });
    place.append(more);
  };
  if (first.data.length) show(first);
  else place.append(empty("Nothing yet", "Every change that somebody makes here, by the API or by the command line is written down."));
  return h("div", { class: "stack" }, head("Audit log", "Every administrative act; it can't be changed or removed."), place);
}

function listed(rows) {
  const text = (value) => (value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value));
  return table(
    "Audit log",
    [
      ["When", (row) => moment(row.at)],
      ["Who", (row) => row.actor],
      ["Did", (row) => row.verb],
      ["To", (row) => row.target || ""],
      ["What changed", (row) => h("code", {}, text(row.detail))],
      ["From", (row) => row.address || ""],
    ],
    rows,
  );
}
