/** Places with memory of the last time: the same answers as place.ts. */

import { type Placement, type PlacementInput, place } from "./place.ts";

export class Placer {
  /** The placement that `place` gives for the same input. */
  place(input: PlacementInput): Placement {
    return place(input);
  }
}
