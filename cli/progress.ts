/**
 * After a write: watches the services until every replica serves and goes on serving, with a live
 * line for each on a terminal and a line per change elsewhere. Gives up when nothing moves for the
 * time allowed.
 */

import { explain, type Problem } from "../model/problem.ts";
import type { MeshView, ServiceView, TaskView } from "../model/view.ts";
import { ask, type ExitCode, type Work } from "./work.ts";

/** Often enough to look alive, seldom enough to cost the agent nothing. */
const pollMs = 200;

/** What starts only to crash serves for a moment too; most crashes come within a second. */
const steadyMs = 1_000;
/** Replicas that failed before are watched for as long as Swarm watches all. */
const steadyAfterFailureMs = 5_000;

type Watched = { readonly line: string; readonly state: "moving" | "done" | "stuck" };

/** `stillMs`: how long without any change before giving up. Exit code 1 unless all converge. */
export function* awaitConvergence(services: readonly string[], stillMs: number): Work<ExitCode> {
  const told = new Set<string>();
  let last = "";
  let movedAtMs = yield* ask((world) => world.nowMs());
  for (;;) {
    const view = yield* ask((world) => world.mesh.view());
    const nowMs = yield* ask((world) => world.nowMs());
    const now = snapshot(view, services);
    if (now !== last) movedAtMs = nowMs;
    last = now;
    const isSteady = nowMs - movedAtMs >= Math.min(steadyTime(view, services), stillMs);
    const watched = services.map((service) => watch(view, service, isSteady));
    yield* ask(({ terminal }) => terminal.draw(watched.map(({ line }) => line)));
    yield* tellNews(view, services, watched, told);
    if (watched.every(({ state }) => state === "done")) return 0;
    const isStuck = watched.every(({ state }) => state !== "moving");
    if (isStuck || nowMs - movedAtMs > stillMs) {
      return yield* giveUp(view, services, isStuck ? undefined : stillMs);
    }
    yield* ask((world) => world.sleep(pollMs));
  }
}

/** All that counts as a move: a replica that crashes between two looks is another task. */
function snapshot(view: MeshView, names: readonly string[]): string {
  const services = view.services
    .filter(({ service }) => names.includes(service))
    .map(({ service, updated, replicas, update }) => [service, updated, replicas, update]);
  const tasks = tasksOf(view, names).map(({ task, state, ready }) => [task, state, ready]);
  return JSON.stringify([services, tasks]);
}

function steadyTime(view: MeshView, names: readonly string[]): number {
  const serving = tasksOf(view, names).filter(({ ready }) => ready);
  if (serving.some(({ failures }) => failures > 0)) return steadyAfterFailureMs;
  return serving.length > 0 ? steadyMs : 0;
}

function tasksOf(view: MeshView, names: readonly string[]): TaskView[] {
  return view.tasks.filter(({ service }) => names.includes(service));
}

/** Without a terminal to draw on, each line is printed when it has changed. */
function* tellNews(
  view: MeshView,
  services: readonly string[],
  watched: readonly Watched[],
  told: Set<string>,
): Work<void> {
  const problems = problemsOf(view, services).map(explain);
  const draws = yield* ask(({ terminal }) => terminal.draws);
  const lines = draws ? [] : watched.map(({ line }) => line);
  for (const line of lines.filter((one) => !told.has(one))) {
    told.add(line);
    yield* ask(({ terminal }) => terminal.note(line));
  }
  for (const problem of problems.filter((one) => !told.has(one))) {
    told.add(problem);
    yield* ask(({ terminal }) => terminal.note(problem));
  }
}

function* giveUp(
  view: MeshView,
  services: readonly string[],
  stillMs: number | undefined,
): Work<ExitCode> {
  const open = services.filter((one) => watch(view, one, true).state !== "done").join(", ");
  const stands = `nothing has moved for ${Math.round((stillMs ?? 0) / 1000)} s`;
  const said =
    stillMs === undefined
      ? `the update has stopped; not converged: ${open}`
      : `${stands}; not converged: ${open} (the mesh keeps trying)`;
  yield* ask(({ terminal }) => terminal.note(said));
  return 1;
}

function problemsOf(view: MeshView, services: readonly string[]): Problem[] {
  return view.services
    .filter(({ service }) => services.includes(service))
    .flatMap(({ problems }) => problems);
}

/** A service that is to go is done when it and its tasks are gone. */
function watch(view: MeshView, name: string, isSteady: boolean): Watched {
  const service = view.services.find((one) => one.service === name);
  if (service !== undefined) return watchService(view, service, isSteady);
  const left = view.tasks.filter((task) => task.service === name && isRunning(task.state)).length;
  if (left === 0) return { line: `${name}  removed`, state: "done" };
  return { line: `${name}  removing, ${left} left`, state: "moving" };
}

function watchService(view: MeshView, service: ServiceView, isSteady: boolean): Watched {
  const { update, updated, replicas } = service;
  // Whoever asks right after this is over must not meet what was replaced.
  const surplus = view.tasks.filter((task) => {
    const isOld = task.standing === "superseded" || task.revision !== service.revision;
    return task.service === service.service && task.ready && isOld;
  }).length;
  const count = `${service.service}  ${updated}/${replicas} ready`;
  switch (update.state) {
    case "paused":
      return { line: `${count}, update paused: ${update.message}`, state: "stuck" };
    case "rolled-back":
      return { line: `${count}, rolled back: ${update.message}`, state: "stuck" };
    case "rolling-back":
      return { line: `${count}, rolling back: ${update.message}`, state: "moving" };
    default: {
      const isThere = update.state === "completed" && updated === replicas && surplus === 0;
      const isDone = isThere && isSteady;
      return { line: isDone ? `${count}, converged` : count, state: isDone ? "done" : "moving" };
    }
  }
}

function isRunning(state: string): boolean {
  return state !== "complete" && state !== "failed";
}
