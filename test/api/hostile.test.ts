import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import type { Limits } from "../../api/limits.ts";
import { routes } from "../../api/routes.ts";
import { until } from "../until.ts";
import { people, streamPair, task } from "./fake-backend.ts";
import { type Api, openApis } from "./mesh-of-apis.ts";
import { authorization } from "./requests.ts";

async function withApi(run: (api: Api) => Promise<void>, limits: Partial<Limits> = {}) {
  const apis = await openApis(limits);
  const [api] = apis.apis;
  try {
    await run(api);
    // Whatever was done to it, it answers.
    const client = await apis.overSocket();
    assert.equal((await client.version()).version, "0.1.0");
  } finally {
    await apis.close();
  }
}

type Ear = { readonly stream: Duplex; text: string; isClosed: boolean };

function listen(stream: Duplex): Ear {
  const ear: Ear = { stream, text: "", isClosed: false };
  stream.on("error", () => undefined);
  stream.on("data", (chunk: Buffer) => {
    ear.text += chunk.toString("latin1");
  });
  stream.once("end", () => stream.end());
  stream.once("close", () => {
    ear.isClosed = true;
  });
  return ear;
}

const ways: readonly (readonly [string, (api: Api) => Promise<Duplex>])[] = [
  [
    "the socket",
    async ({ socket }) => {
      const stream = connect(socket);
      await once(stream, "connect");
      return stream;
    },
  ],
  [
    "a link",
    async (api) => {
      const [near, far] = streamPair();
      api.accept(far, people.viewer.id);
      return near;
    },
  ],
];

const head = "host: a\r\n";

for (const [name, open] of ways) {
  const hasty = { headMsMax: 200, requestMsMax: 300 };

  for (const [what, said] of [
    ["says nothing", ""],
    ["drips its head", "GET /v1/version HTTP/1.1\r\nho"],
    ["never sends its body", `POST /v1/drafts HTTP/1.1\r\n${head}content-length: 100\r\n\r\n{`],
    [
      "never ends its chunks",
      `POST /v1/plan HTTP/1.1\r\n${head}transfer-encoding: chunked\r\n\r\n`,
    ],
  ] as const) {
    test(`over ${name}, whoever ${what} is cut off`, async () => {
      await withApi(async (api) => {
        const ear = listen(await open(api));
        ear.stream.write(said);
        await until(() => ear.isClosed, 10_000, "the cut");
        await until(() => api.server.counters()["api-connections"] === 0, 5_000);
        assert.ok(ear.text === "" || /^HTTP\/1.1 (408|400) /.test(ear.text), ear.text);
      }, hasty);
    });
  }

  test(`over ${name}, a body that says it is too large is refused unread`, async () => {
    await withApi(async (api) => {
      const ear = listen(await open(api));
      ear.stream.write(
        `POST /v1/writes HTTP/1.1\r\n${head}content-length: ${1e12}\r\n\r\n${"x".repeat(1e5)}`,
      );
      await until(() => ear.isClosed, 10_000, "the cut");
      assert.match(ear.text, /^HTTP\/1.1 413 .*request-too-large/s);
      assert.equal(api.server.counters()["api-body-bytes"], 0);
    });
  });

  test(`over ${name}, a body that turns out too large is refused in the middle`, async () => {
    await withApi(async (api) => {
      const ear = listen(await open(api));
      ear.stream.write(
        `POST /v1/leave HTTP/1.1\r\n${head}transfer-encoding: chunked\r\n\r\n` +
          `8000\r\n${"x".repeat(0x8000)}\r\n`,
      );
      await until(() => ear.isClosed, 10_000, "the cut");
      assert.match(ear.text, /^HTTP\/1.1 413 /);
    });
  });

  test(`over ${name}, a head that is too large is refused`, async () => {
    await withApi(async (api) => {
      const ear = listen(await open(api));
      ear.stream.write(`GET /v1/view HTTP/1.1\r\n${head}x: ${"y".repeat(200_000)}`);
      await until(() => ear.isClosed, 10_000, "the cut");
      assert.match(ear.text, /^HTTP\/1.1 413 /);
    });
  });

  test(`over ${name}, what is no HTTP is refused`, async () => {
    await withApi(async (api) => {
      for (const said of [
        "\x16\x03\x01\x02\x00",
        "SSH-2.0-x\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "{}\n",
      ]) {
        const ear = listen(await open(api));
        ear.stream.write(said, "latin1");
        await until(() => ear.isClosed, 10_000, "the cut");
        assert.match(ear.text, /^HTTP\/1.1 400 /);
      }
    });
  });
}

test("requests that are sent without waiting for answers are bounded", async () => {
  await withApi(
    async (api) => {
      const stream = connect(api.socket);
      const ear = listen(stream);
      stream.write(`GET /v1/view HTTP/1.1\r\n${head}\r\n`.repeat(500));
      stream.end();
      await until(() => ear.isClosed, 10_000);
      const statuses = [...ear.text.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status);
      assert.ok(statuses.includes("200"));
      assert.ok(statuses.every((status) => status === "200" || status === "429"));
    },
    { requestsOfConnectionMax: 4 },
  );
});

test("bodies are bounded all together, and room that was taken comes back", async () => {
  await withApi(
    async (api) => {
      const ears = await Promise.all(
        Array.from({ length: 8 }, async () => {
          const stream = connect(api.socket);
          await once(stream, "connect");
          stream.write(
            `POST /v1/plan HTTP/1.1\r\n${head}content-length: 2000000\r\n\r\n${"x".repeat(1e6)}`,
          );
          return listen(stream);
        }),
      );
      await until(() => ears.some(({ text }) => text.includes("HTTP/1.1 429 ")), 10_000);
      assert.ok((api.server.counters()["api-body-bytes"] ?? 0) <= 3_000_000);
      for (const { stream } of ears) stream.destroy();
      await until(() => api.server.counters()["api-body-bytes"] === 0, 10_000);
    },
    { bodiesBytesMax: 3_000_000 },
  );
});

test("one peer's streams leave room for the others'", async () => {
  await withApi(
    async (api) => {
      const openBy = (from: string): Ear => {
        const [near, far] = streamPair();
        api.accept(far, from);
        return listen(near);
      };
      const greedy = Array.from({ length: 50 }, () => openBy("greedy"));
      await until(() => greedy.filter(({ isClosed }) => isClosed).length === 42, 10_000);
      const other = openBy(people.viewer.id);
      const path = "/v1/view";
      const token = authorization({ path, by: people.viewer }, Date.now());
      other.stream.write(`GET ${path} HTTP/1.1\r\n${head}authorization: ${token}\r\n\r\n`);
      await until(() => other.text.startsWith("HTTP/1.1 200 "), 10_000);
      for (const { stream } of greedy) stream.destroy();
      assert.equal(api.server.counters()["api-connections-dropped"], 42);
    },
    { connectionsOfPeerMax: 8 },
  );
});

test("upgrades that nobody offers are plain requests, and sessions need theirs", async () => {
  await withApi(async (api) => {
    api.backend.show({ tasks: [task("a/b.1.c", api.backend.self)] });
    const upgrade = (protocol: string) => `connection: upgrade\r\nupgrade: ${protocol}\r\n`;
    const cases: [string, RegExp][] = [
      [`GET /v1/version HTTP/1.1\r\n${head}${upgrade("h2c")}\r\n`, /^HTTP\/1.1 200 /],
      [`GET /v1/version HTTP/1.1\r\n${head}${upgrade("shoal-exec/1")}\r\n`, /^HTTP\/1.1 200 /],
      [`POST /v1/exec?task=a HTTP/1.1\r\n${head}${upgrade("websocket")}\r\n`, /^HTTP\/1.1 400 /],
      [`POST /v1/exec?task=a HTTP/1.1\r\n${head}\r\n`, /^HTTP\/1.1 400 .*needs an upgrade/s],
      [`POST /v1/exec HTTP/1.1\r\n${head}${upgrade("shoal-exec/1")}\r\n`, /^HTTP\/1.1 400 /],
      [`CONNECT /v1/exec HTTP/1.1\r\n${head}${upgrade("shoal-exec/1")}\r\n`, /^$/],
    ];
    for (const [said, answer] of cases) {
      const ear = listen(connect(api.socket));
      ear.stream.write(said);
      await until(() => ear.isClosed || answer.test(ear.text), 10_000, said);
      assert.match(ear.text, answer, said);
      ear.stream.destroy();
    }
  });
});

test("a deep or wide body within the limits costs little", async () => {
  await withApi(async (api) => {
    const { bodyBytesMax } = routes.plan;
    for (const body of ["[".repeat(bodyBytesMax), `{"documents":[${"{},".repeat(1e6)}{}]}`]) {
      const ear = listen(connect(api.socket));
      const startedMs = performance.now();
      ear.stream.write(
        `POST /v1/plan HTTP/1.1\r\n${head}connection: close\r\ncontent-length: ${body.length}\r\n\r\n`,
      );
      ear.stream.write(body);
      await until(() => ear.isClosed, 20_000);
      assert.match(ear.text, /^HTTP\/1.1 400 /);
      assert.ok(performance.now() - startedMs < 10_000);
    }
  });
});
