/** `shoal person ls|rm`: who may talk to the mesh, and taking that away. */

import { readTrust, writeRevocation } from "../../api/person.ts";
import { OperationError } from "../../model/problem.ts";
import { type Command, confirmed, type Input, show, showTable, word } from "../command.ts";
import { slip } from "../options.ts";
import { ask, type ExitCode, type Work } from "../work.ts";

type Person = { readonly key: string; readonly name: string; readonly role: string };

function* list(input: Input): Work<ExitCode> {
  const { people } = yield* readPeople();
  const own = yield* ask((world) => world.key());
  yield* showTable<Person>(input, people, [
    ["NAME", ({ name, key }) => `${name || "-"}${key === own.id ? " *" : ""}`],
    ["ROLE", ({ role }) => role],
    ["KEY", ({ key }) => key],
  ]);
  return 0;
}

function* readPeople(): Work<{ readonly people: readonly Person[] }> {
  const { mesh } = yield* ask((world) => world.mesh.view());
  const facts = yield* ask((world) => world.mesh.trust());
  const people = [...readTrust(mesh, facts).people].map(([key, { name, role }]): Person => {
    return { key, name, role };
  });
  return { people };
}

function* remove(input: Input): Work<ExitCode> {
  const { people } = yield* readPeople();
  const person = find(people, word(input, 0, "PERSON"));
  const admins = people.filter(({ role }) => role === "admin");
  if (person.role === "admin" && admins.length === 1) {
    throw slip(person.key, "is the only admin: invite another first (`shoal invite --role admin`)");
  }
  const key = yield* ask((world) => world.key());
  if (!admins.some((admin) => admin.key === key.id) && key.id !== person.key) {
    throw new OperationError({ code: "not-authorised", principal: key.id, needs: "admin" });
  }
  const name = person.name === "" ? person.key : `${person.name} (${person.key})`;
  const question = `take the role of ${person.role} from ${name}? That key can never have one again.`;
  if (!(yield* confirmed(input, question))) return 1;
  const { mesh } = yield* ask((world) => world.mesh.view());
  const nowMs = yield* ask((world) => world.nowMs());
  const fact = writeRevocation(mesh, person.key, nowMs, key);
  const { peers } = yield* ask((world) => world.mesh.write({ revisions: [], facts: [fact] }));
  yield* show(input, { person: person.key, peers }, () => name);
  return 0;
}

/** By name, by key, or by the end of a key, since keys all begin alike. */
function find(people: readonly Person[], text: string): Person {
  const exact = people.filter(({ key, name }) => key === text || name === text);
  const partly = text.length < 4 ? [] : people.filter(({ key }) => key.endsWith(text));
  const [first, second] = exact.length > 0 ? exact : partly;
  if (first === undefined) throw new OperationError({ code: "person-unknown", person: text });
  if (second === undefined) return first;
  throw slip(text, `means several (${first.key}, ${second.key}): say which`);
}

export const personCommands: readonly Command[] = [
  {
    name: "ls",
    usage: "",
    summary: "List people and their roles; * is you",
    options: [],
    examples: ["shoal person ls"],
    run: list,
  },
  {
    name: "rm",
    usage: "PERSON",
    summary: "Take a person's role away for good",
    options: [["-y, --yes", "do not ask"]],
    examples: ["shoal person rm anna --yes"],
    run: remove,
  },
];
