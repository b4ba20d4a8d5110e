/** Waiting for an event, but not for ever. A door. */

/** Until `event`, but no longer than this. An event that fails is one as well. */
export async function pause(longestMs: number, event: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, longestMs);
  await Promise.race([event.catch(() => {}), promise]);
  clearTimeout(timer);
}
