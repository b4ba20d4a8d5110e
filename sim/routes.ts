/** The simulated data path: remembers the table that was installed last, and since when. */

import type { RoutingTable } from "../model/routing.ts";
import type { Routes } from "../ports.ts";

export class SimRoutes implements Routes {
  table: RoutingTable = { services: [] };
  installs = 0;

  install(table: RoutingTable): void {
    this.table = table;
    this.installs++;
  }

  onProblems(): void {
    // Every port of a simulated host can be listened on.
  }
}
