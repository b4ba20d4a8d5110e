/** A task as the Docker engine holds it, from its order or from its container. A door: it waits. */

import { newEntry, type TaskEntry, type TaskIdentity } from "../task-entry.ts";
import type { TaskWatch } from "../task-watch.ts";

export type DockerEntry = TaskEntry & {
  container: string | undefined;
  /** State and health as the last listing had them: it is looked at again when they differ. */
  listed: string;
  /** Of the container's configuration: the spec's, else the image's. */
  stopSignal: string | undefined;
  watch: TaskWatch | undefined;
  /** Between the order and a container that runs. */
  isLaunching: boolean;
  isStopping: boolean;
  /** Aborted when the task is wanted no longer while it is being launched. */
  readonly cancel: AbortController;
  readonly ended: PromiseWithResolvers<void>;
};

export function newDockerEntry(identity: TaskIdentity): DockerEntry {
  return Object.assign(newEntry(identity), {
    container: undefined,
    listed: "",
    stopSignal: undefined,
    watch: undefined,
    isLaunching: false,
    isStopping: false,
    cancel: new AbortController(),
    ended: Promise.withResolvers<void>(),
  });
}
