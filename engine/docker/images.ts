/** Sees to it that an image is on this node, as its pull policy has it. A door. */

import type { Readable } from "node:stream";
import { OperationError } from "../../model/problem.ts";
import type { ContainerWorkload } from "../../model/spec.ts";
import { LineSplitter } from "../log-lines.ts";
import { type DockerDaemon, quickDeadlineMs } from "./daemon.ts";
import { DockerGone, DockerRefusal, pullProblem } from "./refusals.ts";

/** A pull may take an hour; one that says nothing for this long, ms, is stuck. */
const silenceMsMax = 120_000;

type Wanted = Pick<ContainerWorkload, "image" | "pull" | "platform">;

export class Images {
  readonly #daemon: DockerDaemon;
  readonly #nodeName: string;
  /** Several tasks of one image wait for one pull. */
  readonly #pulling = new Map<string, Promise<void>>();

  constructor(daemon: DockerDaemon, nodeName: string) {
    this.#daemon = daemon;
    this.#nodeName = nodeName;
  }

  /** Throws OperationError with image-not-found or image-pull-failed. */
  async provide(wanted: Wanted): Promise<void> {
    const policy = wanted.pull ?? "missing";
    if (policy !== "always" && (await this.#isHere(wanted.image))) return;
    if (policy === "never") {
      const detail = "it is not on the node, and is never to be pulled";
      const { image } = wanted;
      throw new OperationError({ code: "image-not-found", image, node: this.#nodeName, detail });
    }
    const key = `${wanted.image} ${wanted.platform ?? ""}`;
    const pull = this.#pulling.get(key) ?? this.#pull(wanted);
    this.#pulling.set(key, pull);
    try {
      await pull;
    } finally {
      this.#pulling.delete(key);
    }
  }

  async #isHere(image: string): Promise<boolean> {
    try {
      const here = this.#daemon.api.getImage(image);
      await this.#daemon.ask(
        (abortSignal) => here.inspect({ abortSignal } as object),
        quickDeadlineMs,
      );
      return true;
    } catch (error) {
      if (error instanceof DockerRefusal) return false;
      throw error;
    }
  }

  async #pull({ image, platform }: Wanted): Promise<void> {
    const query = {
      ...splitReference(image),
      ...(platform === undefined ? {} : { platform }),
    };
    try {
      const progress = await this.#daemon.ask(
        (abortSignal) => this.#daemon.api.createImage({ ...query, abortSignal } as object),
        silenceMsMax,
      );
      const failure = await readProgress(progress as Readable);
      if (failure === undefined) return;
      throw new OperationError(pullProblem(failure, image, this.#nodeName));
    } catch (error) {
      if (!(error instanceof DockerRefusal)) throw error;
      throw new OperationError(pullProblem(error.message, image, this.#nodeName));
    }
  }
}

/** Without a tag the API would pull all of them. */
export function splitReference(image: string): { fromImage: string; tag: string } {
  const digest = image.indexOf("@");
  if (digest >= 0) return { fromImage: image.slice(0, digest), tag: image.slice(digest + 1) };
  const colon = image.lastIndexOf(":");
  if (colon < 0 || image.indexOf("/", colon) >= 0) return { fromImage: image, tag: "latest" };
  return { fromImage: image.slice(0, colon), tag: image.slice(colon + 1) };
}

/** The error that the pull ended with, undefined when it went well: the status says 200 early. */
async function readProgress(progress: Readable): Promise<string | undefined> {
  const lines = new LineSplitter();
  let failure: string | undefined;
  const silence = setTimeout(() => {
    failure ??= `the pull said nothing for ${silenceMsMax / 1000} s`;
    progress.destroy();
  }, silenceMsMax);
  try {
    for await (const piece of progress) {
      silence.refresh();
      for (const line of lines.push(piece as Uint8Array)) failure ??= errorIn(line);
    }
    failure ??= errorIn(lines.flush() ?? "{}");
  } catch (error) {
    if (failure === undefined) throw new DockerGone(String(error));
  } finally {
    clearTimeout(silence);
  }
  return failure;
}

function errorIn(line: string): string | undefined {
  try {
    const { error } = JSON.parse(line) as { error?: unknown };
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}
