/** Whole APIs before fake agents: servers on sockets of their own, and clients to them. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { Client } from "../../api/client.ts";
import { openClient } from "../../api/client.ts";
import { Handler } from "../../api/handler.ts";
import type { Limits } from "../../api/limits.ts";
import { ApiServer } from "../../api/server.ts";
import type { NodeId } from "../../model/ids.ts";
import type { Identity } from "../../trust/identity.ts";
import { FakeBackend, joinFakes, mesh, nodeKeys, streamPair } from "./fake-backend.ts";

export type Api = {
  readonly backend: FakeBackend;
  readonly handler: Handler;
  readonly server: ApiServer;
  readonly socket: string;
  readonly bugs: unknown[];
  accept(stream: Duplex, from: string): void;
};

export type Apis = {
  readonly apis: readonly [Api, Api, Api];
  readonly directory: string;
  /** Streams that nodes opened to each other, by target. */
  readonly opened: ReadonlyMap<NodeId, number>;
  /** Over the first node's socket. */
  overSocket(by?: Identity): Promise<Client>;
  /** Over streams as a link to the first node has them. */
  overLink(by: Identity): Promise<Client>;
  close(): Promise<void>;
};

export async function openApis(limits: Partial<Limits> = {}): Promise<Apis> {
  const directory = mkdtempSync(join(tmpdir(), "shoal-api-"));
  const apis = await Promise.all(
    nodeKeys.map(async (key, index): Promise<Api> => {
      const backend = new FakeBackend(key);
      const handler = new Handler(backend);
      const socket = join(directory, `${index}.sock`);
      const bugs: unknown[] = [];
      const onBug = (error: unknown) => void bugs.push(error);
      const server = await ApiServer.open({ handler, socket, limits, onBug });
      const accept = (stream: Duplex, from: string) => server.accept(stream, from);
      return { backend, handler, server, socket, bugs, accept };
    }),
  );
  const [first] = apis as [Api, Api, Api];
  const clients: Client[] = [];
  const keep = async (client: Promise<Client>) => {
    clients.push(await client);
    return await client;
  };
  return {
    apis: apis as unknown as Apis["apis"],
    directory,
    opened: joinFakes(apis),
    overSocket: (key) =>
      keep(openClient({ unix: first.socket }, key === undefined ? undefined : { key, mesh })),
    overLink: (key) => keep(openClient({ link: linkTo(first, key.id) }, { key, mesh })),
    async close() {
      for (const client of clients) await client.close();
      for (const { server } of apis) await server.close();
      rmSync(directory, { recursive: true, force: true });
      const bugs = apis.flatMap((api) => api.bugs);
      if (bugs.length > 0) throw new AggregateError(bugs, "the API met bugs");
    },
  };
}

export function linkTo(api: Api, from: string) {
  return {
    peer: api.backend.self,
    async open(): Promise<Duplex> {
      const [near, far] = streamPair();
      api.accept(far, from);
      return near;
    },
    async close() {},
  };
}

/** The first so many items; leaves what it reads from. */
export async function take<Item>(items: AsyncIterable<Item>, count: number): Promise<Item[]> {
  const taken: Item[] = [];
  for await (const item of items) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}
