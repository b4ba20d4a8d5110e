import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { responseCode } from "../../dns/record.ts";
import { slotLabel } from "../../dns/zone.ts";
import { isName } from "../../model/ids.ts";
import { query, read, types } from "./packets.ts";
import { meshServer } from "./tables.ts";

const services = `
  default/web 80/tcp,53/udp: 1@10.0.0.1 2@n2:10.0.0.2 3@10.0.0.3!
  shop/web 8080/tcp: 1@10.0.1.1
  shop/six 80/tcp: 1@fd00::11 2@::ffff:10.0.2.2
  shop/proc 80/tcp: 1@127.0.0.1=9001 2@n2:127.0.0.1=9002 3@n3:127.0.0.1=9003 4@n4:127.0.0.1=9004
  shop/twin 80/tcp: 1@n2:127.0.0.1=9001 2@n2:127.0.0.1=9002 3@n2:127.0.0.1=9002
  shop/global 80/tcp: Edge.Box-1@10.0.3.1
  shop/odd 80/tcp: 1@nonsense 2@0.0.0.0 3@10.0.4.3=0 4@10.0.4.4=70000 ...@10.0.4.5
  shop/none 80/tcp:
  other/shop 80/tcp: 1@10.0.5.1
  web/1: 1@10.0.6.1
`;

// What is asked → what is answered, sorted; "-" is NODATA, "NX" is NXDOMAIN.
const cases: [asked: string, answer: string][] = [
  // Services, in full and short.
  ["web.default.mesh A", "A 10.0.0.1, A 10.0.0.2"],
  ["web.mesh A", "A 10.0.0.1, A 10.0.0.2"],
  ["WEB.Default.MESH A", "A 10.0.0.1, A 10.0.0.2"],
  ["web.shop.mesh A", "A 10.0.1.1"],
  ["web.mesh AAAA", "-"],
  ["web.mesh TYPE65", "-"],
  ["web.mesh ANY", "TYPE13 075246433834383200"],
  ["none.shop.mesh A", "-"],
  ["nowhere.mesh A", "NX"],
  ["nowhere.shop.mesh A", "NX"],
  ["web.nowhere.mesh A", "NX"],
  // Names that have names below them exist.
  ["default.mesh A", "-"],
  ["shop.mesh A", "-"],
  ["other.mesh ANY", "TYPE13 075246433834383200"],
  ["_tcp.web.mesh A", "-"],
  // Replicas.
  ["tasks.web.mesh A", "A 10.0.0.1, A 10.0.0.2"],
  ["tasks.web.shop.mesh A", "A 10.0.1.1"],
  ["2.web.mesh A", "A 10.0.0.2"],
  ["2.web.default.mesh A", "A 10.0.0.2"],
  ["3.web.mesh A", "NX"],
  ["9.web.mesh A", "NX"],
  ["edge-box-1.global.shop.mesh A", "A 10.0.3.1"],
  // A full name wins over a short one: service 1 of namespace web, not replica 1 of default's web.
  ["1.web.mesh A", "A 10.0.6.1"],
  ["1.web.default.mesh A", "A 10.0.0.1"],
  // IPv6, and IPv4 in its clothes.
  ["six.shop.mesh AAAA", "AAAA fd00:0000:0000:0000:0000:0000:0000:0011"],
  ["six.shop.mesh A", "A 10.0.2.2"],
  // Loopback of other nodes is their own address; a node that has none is left out.
  ["proc.shop.mesh A", "A 127.0.0.1, A 192.168.0.2"],
  ["proc.shop.mesh AAAA", "AAAA fd00:0000:0000:0000:0000:0000:0000:0003"],
  ["4.proc.shop.mesh A", "-"],
  ["twin.shop.mesh A", "A 192.168.0.2"],
  // Ports: the real ones.
  ["_80._tcp.web.mesh SRV", "SRV 0 1 80 1.web.default.mesh, SRV 0 1 80 2.web.default.mesh"],
  ["_http._tcp.web.mesh SRV", "SRV 0 1 80 1.web.default.mesh, SRV 0 1 80 2.web.default.mesh"],
  ["_domain._udp.web.mesh SRV", "SRV 0 1 53 1.web.default.mesh, SRV 0 1 53 2.web.default.mesh"],
  ["_8080._tcp.web.shop.mesh SRV", "SRV 0 1 8080 1.web.shop.mesh"],
  ["_80._tcp.global.shop.mesh SRV", "SRV 0 1 80 edge-box-1.global.shop.mesh"],
  [
    "_80._tcp.proc.shop.mesh SRV",
    "SRV 0 1 9001 1.proc.shop.mesh, SRV 0 1 9002 2.proc.shop.mesh, SRV 0 1 9003 3.proc.shop.mesh",
  ],
  ["_80._tcp.web.mesh A", "-"],
  ["_81._tcp.web.mesh SRV", "NX"],
  ["_80._udp.web.mesh SRV", "NX"],
  ["_gopher._tcp.web.mesh SRV", "NX"],
  ["_80._sctp.web.mesh SRV", "NX"],
  ["x._80._tcp.web.mesh SRV", "NX"],
  // What peers say that makes no sense is in no answer.
  ["odd.shop.mesh A", "A 10.0.4.3, A 10.0.4.4, A 10.0.4.5"],
  ["_80._tcp.odd.shop.mesh SRV", "-"],
  // Facts.
  ["2.web.mesh TXT", "TXT replica=2|node=n2|zone=a"],
  ["web.shop.mesh TXT", "TXT replica=1|node=n1|zone=a"],
  // The top.
  ["mesh SOA", "SOA mesh hostmaster.mesh 1 60 60 600 1"],
  ["mesh NS", "NS mesh"],
  ["mesh A", "A 10.1.0.1, A 127.0.0.1"],
  ["mesh MX", "-"],
  // Addresses.
  ["1.0.0.10.in-addr.arpa PTR", "PTR 1.web.default.mesh"],
  ["2.2.0.10.IN-ADDR.arpa PTR", "PTR 2.six.shop.mesh"],
  [`1.1.${"0.".repeat(26)}0.0.d.f.ip6.arpa PTR`, "PTR 1.six.shop.mesh"],
  // Not ours: nobody upstream here.
  ["1.0.0.127.in-addr.arpa PTR", "SERVFAIL"],
  ["3.0.0.10.in-addr.arpa PTR", "SERVFAIL"],
  ["1.0.0.10.in-addr.arpa TXT", "SERVFAIL"],
  ["web.mesh.example A", "SERVFAIL"],
  ["xmesh.example A", "SERVFAIL"],
];

for (const [asked, answer] of cases) {
  test(`${asked} is answered ${answer}`, () => {
    const server = meshServer(services);
    const [name, type] = asked.split(" ") as [string, string];
    const number = types[type] ?? Number(type.replace("TYPE", "").replace("MX", "15"));
    const reply = read(server.ask(query(name, number)) as Buffer);
    assert.equal(show(reply), answer);
    assert.equal(reply.question, `${name} ${number} 1`);
    const isOurs = answer !== "SERVFAIL";
    assert.equal(reply.flags, isOurs ? "qr aa rd ra" : "qr rd ra");
    const isNo = answer === "-" || answer === "NX";
    const soa = ["mesh 1 SOA mesh hostmaster.mesh 1 60 60 600 1"];
    assert.deepEqual(reply.authorities, isNo ? soa : []);
  });
}

test("a new table is answered from at once, with a new serial", () => {
  const server = meshServer("default/web: 1@10.0.0.1");
  const ask = (name: string, type: string) => read(server.ask(query(name, type)) as Buffer).answers;
  assert.deepEqual(ask("web.mesh", "A"), ["web.mesh 1 A 10.0.0.1"]);
  server.mesh.install({ services: [] });
  assert.deepEqual(ask("web.mesh", "A"), []);
  assert.match(ask("mesh", "SOA")[0] as string, / 2 60 60 600 1$/);
});

test("a label that holds the bytes of our zone's name is not our zone", () => {
  const server = meshServer(services);
  const reply = read(server.ask(query("web.x\x04mesh", "A")) as Buffer);
  assert.deepEqual([reply.rcode, reply.flags], [responseCode.SERVFAIL, "qr rd ra"]);
});

test("every slot gets a label that DNS takes, or none", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 90 }), (slot) => {
      const label = slotLabel(slot);
      assert.ok(label === "" || isName(label), JSON.stringify(label));
    }),
  );
});

test("any row of a peer, however wild, leaves every question answered", () => {
  const text = fc.string({ unit: "binary", maxLength: 300 });
  const endpoint = fc.record({
    task: text,
    replica: text,
    slot: text,
    node: text,
    local: fc.boolean(),
    address: fc.oneof(text, fc.ipV4(), fc.ipV6()),
    ports: fc.dictionary(fc.constantFrom("80/tcp", "__proto__"), fc.double()),
    zone: text,
    draining: fc.boolean(),
  });
  const asked = fc.constantFrom(
    "web.mesh A",
    "web.mesh AAAA",
    "web.mesh TXT",
    "tasks.web.mesh A",
    "_80._tcp.web.mesh SRV",
    "1.0.0.10.in-addr.arpa PTR",
  );
  fc.assert(
    fc.property(fc.array(endpoint), asked, (endpoints, question) => {
      const server = meshServer("");
      const route = { service: "default/web", endpointMode: "vip", published: [], endpoints };
      server.mesh.install({ services: [{ ...route, targets: ["80/tcp"] }] } as never);
      const [name, type] = question.split(" ") as [string, string];
      read(server.ask(query(name, type, { edns: 1232 })) as Buffer);
    }),
  );
});

function show({ rcode, answers }: ReturnType<typeof read>): string {
  if (rcode === responseCode.NXDOMAIN) return "NX";
  if (rcode === responseCode.SERVFAIL) return "SERVFAIL";
  if (answers.length === 0) return "-";
  return answers
    .map((answer) => answer.replace(/^\S+ \d+ /, ""))
    .sort()
    .join(", ");
}
