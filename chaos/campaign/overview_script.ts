// The overview's filters. Runs in the page, embedded by its source text.
// deno-lint-ignore-file no-explicit-any

import type { OverviewRun } from "./overview.ts";

export function startOverview(): void {
  const page = globalThis as any;
  const document = page.document;
  const byId = (id: string) => document.getElementById(id);
  const runs: OverviewRun[] = JSON.parse(byId("data").textContent);
  const rows = [...byId("runs").tBodies[0].rows];

  function filter(): void {
    const wanted = byId("search").value.trim().toLowerCase();
    const state = byId("state").value;
    const workload = byId("workload").value;
    const nemesis = byId("nemesis").value;
    let shown = 0;
    runs.forEach((run, i) => {
      const text = `${run.name} ${run.system} ${run.seed} ${run.reason}`.toLowerCase();
      const fits = (state === "" || run.state === state) &&
        (workload === "" || run.workload === workload) &&
        (nemesis === "" || run.nemesis === nemesis) && text.includes(wanted);
      rows[i].hidden = !fits;
      if (fits) shown++;
    });
    byId("shown").textContent = `${shown} of ${runs.length}`;
    // A filter can be linked to.
    const chosen = new page.URLSearchParams({ state, workload, nemesis, search: wanted });
    for (const [name, value] of [...chosen]) if (value === "") chosen.delete(name);
    try {
      page.history.replaceState(null, "", `#${chosen}`);
    } catch {
      // Pages of some kinds have no address to change.
    }
  }

  const given = new page.URLSearchParams(page.location.hash.slice(1));
  for (const id of ["state", "workload", "nemesis", "search"]) {
    if (given.has(id)) byId(id).value = given.get(id);
    byId(id).addEventListener("input", filter);
  }
  filter();
}
