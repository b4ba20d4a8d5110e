/** Good requests made bad, by a seed: cut, doubled, swapped, flipped, or strewn with garbage. */

import { routes } from "../../api/routes.ts";
import type { Identity } from "../../trust/identity.ts";
import { people } from "./fake-backend.ts";
import { authorization, bodyOf, type Made } from "./requests.ts";

export type Dice = { below(bound: number): number; pick<Item>(items: readonly Item[]): Item };

/** Mulberry32, by Tommy Ettinger: small, and the same everywhere. */
export function diceOf(seed: number): Dice {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (bound: number): number => next() % bound;
  return { below, pick: (items) => items[below(items.length)] as never };
}

export type Raw = {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Uint8Array;
};

const bodies: readonly unknown[] = [
  undefined,
  {},
  { keys: ["service/hello/web", "scale/hello/web"] },
  { revisions: ["AAAA"], facts: [] },
  { documents: [{ kind: "scale", service: "hello/web", replicas: 3 }], removals: ["node/a"] },
  { service: "hello/web", follow: false, after: { "hello/web.1.a": { atMs: 1, lines: 1 } } },
  { task: "hello/web.1.a", follow: true, tail: 5 },
  { command: ["exit", "0"], tty: true, stdin: true, env: { A: "b" } },
];

/** Signed once and used often: whoever sends it, it is mostly a replay or a forgery. */
export function goodRequests(nowMs: number): Raw[] {
  const signers: (Identity | undefined)[] = [...Object.values(people), undefined];
  return Object.values(routes).flatMap(({ method, path }) =>
    signers.flatMap((by, index) =>
      ["", "?task=hello%2Fweb.1.a"].map((query): Raw => {
        const body =
          method === "GET" ? undefined : bodies[(index * 3 + path.length) % bodies.length];
        const made: Made = { method, path: `${path}${query}`, body, by };
        const token = authorization(made, nowMs);
        return { method, path: `${path}${query}`, authorization: token, body: bodyOf(made) };
      }),
    ),
  );
}

const tokens = ["null", "-1", "1e999", '"', "{", "[", "\\u0000", "🚢", "__proto__", "%00", "%zz"];

export function mutateText(text: string, dice: Dice): string {
  const at = dice.below(text.length + 1);
  const end = Math.min(text.length, at + dice.below(12));
  switch (dice.below(6)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + text.slice(end);
    case 2:
      return text.slice(0, end) + text.slice(at);
    case 3:
      return text.slice(0, at) + dice.pick(tokens) + text.slice(end);
    case 4:
      return text.slice(0, at) + String.fromCharCode(dice.below(256)) + text.slice(at + 1);
    default:
      return text.slice(0, at) + dice.pick(tokens).repeat(dice.below(200)) + text.slice(at);
  }
}

/** None to three changes, anywhere. */
export function mutate(raw: Raw, dice: Dice): Raw {
  let { method, path, authorization: token } = raw;
  let body = new TextDecoder().decode(raw.body);
  for (let change = dice.below(4); change > 0; change--) {
    const place = dice.below(5);
    if (place === 0) method = dice.pick(["GET", "POST", "PUT", "get", "", "X".repeat(300)]);
    else if (place === 1) path = mutateText(path, dice);
    else if (place === 2) token = token === undefined ? "Shoal AAAA" : mutateText(token, dice);
    else body = mutateText(body, dice);
  }
  return { method, path, authorization: token, body: new TextEncoder().encode(body) };
}

/** As HTTP/1.1 has it, then mutated as a text as well, half of the time. */
export function toHttp({ method, path, authorization: token, body }: Raw, dice: Dice): string {
  const lines = [`${method} ${path} HTTP/1.1`, "host: a"];
  if (token !== undefined) lines.push(`authorization: ${token}`);
  if (dice.below(8) === 0) {
    lines.push("connection: upgrade", "upgrade: shoal-exec/1");
    lines.push(`x-shoal-body: ${Buffer.from(body).toString("base64url")}`);
  } else if (body.length > 0) lines.push(`content-length: ${body.length}`);
  const text = `${lines.join("\r\n")}\r\n\r\n${Buffer.from(body).toString("latin1")}`;
  return dice.below(2) === 0 ? text : mutateText(text, dice);
}
