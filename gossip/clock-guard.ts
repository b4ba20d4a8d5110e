/**
 * Keeps wrong clocks out of replicated state: stamps too far ahead are held back, and a node whose
 * own clock is off the peers' accepts no operator's writes. Pure.
 */

import type { Revision } from "../crdt/register.ts";
import type { HybridTime } from "../crdt/stamp.ts";
import type { NodeId } from "../model/ids.ts";
import type { Moment } from "../model/moment.ts";
import type { Problem } from "../model/problem.ts";
import { PeerClocks, skewLimitMs } from "./peer-clocks.ts";

/** DESIGN section 5: further ahead than clocks of one mesh are apart. */
const aheadMaxMs = 2_000;
/** How long a stamp from the future stays among the problems after it was last offered, ms. */
const alarmMs = 60_000;
/** More writers with wrong clocks than this need no longer list. */
const alarmsMax = 64;

type Alarm = { readonly writer: string; readonly aheadMs: number; readonly seenMs: number };

export class ClockGuard {
  readonly #clocks = new PeerClocks();
  readonly #alarms = new Map<string, Alarm>();
  #last: Pick<Moment, "wallMs" | "monotonicMs"> = { wallMs: 0, monotonicMs: 0 };

  hear(from: NodeId, theirWallMs: number, moment: Moment): void {
    this.#last = moment;
    this.#clocks.hear(from, theirWallMs, moment.monotonicMs);
  }

  /** Whether the revision's time has not come yet; then it is not to be merged. */
  isEarly({ key, stamp }: Revision, moment: Moment): boolean {
    this.#last = moment;
    const { writer } = stamp;
    const aheadMs = stamp.timeMs - moment.wallMs;
    const alarm = `${writer} ${key}`;
    this.#alarms.delete(alarm);
    if (aheadMs <= aheadMaxMs) return false;
    if (this.#alarms.size < alarmsMax) {
      this.#alarms.set(alarm, { writer, aheadMs, seenMs: moment.monotonicMs });
    }
    return true;
  }

  /**
   * The time to pass with the next write. One that a wrong clock left far ahead is no time to
   * follow: every later stamp would be held back. Generations order what was seen all the same.
   */
  toPass(last: HybridTime, { wallMs }: Moment): HybridTime {
    return last.timeMs - wallMs <= aheadMaxMs ? last : { timeMs: 0, counter: 0 };
  }

  /** Why this node may take no operator's write now; empty when it may. */
  refusals(moment: Pick<Moment, "wallMs" | "monotonicMs">): Problem[] {
    const offsetMs = -this.#clocks.skewMs(moment);
    if (Math.abs(offsetMs) <= skewLimitMs) return [];
    return [{ code: "clock-skewed", offsetMs, limitMs: skewLimitMs }];
  }

  /** Why what an operator wrote is not taken; undefined stands for one that could not be read. */
  judge(revisions: readonly (Revision | undefined)[], moment: Moment): Problem[] {
    const refusals = revisions.length > 0 ? this.refusals(moment) : [];
    if (refusals.length > 0) return refusals;
    return revisions.flatMap((revision): Problem[] => {
      if (revision === undefined) {
        return [{ code: "signature-invalid", detail: "a revision's seal or writer" }];
      }
      if (!this.isEarly(revision, moment)) return [];
      const { writer, timeMs } = revision.stamp;
      return [{ code: "stamp-from-future", writer, aheadMs: timeMs - moment.wallMs }];
    });
  }

  problems(): Problem[] {
    const alarms = [...this.#alarms.values()].filter(({ seenMs }) => {
      return this.#last.monotonicMs - seenMs < alarmMs;
    });
    return [
      ...alarms.map(({ writer, aheadMs }): Problem => {
        return { code: "stamp-from-future", writer, aheadMs };
      }),
      ...this.refusals(this.#last),
    ];
  }
}
