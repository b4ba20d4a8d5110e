/**
 * Many writers, one reader, bounded: a writer waits while the channel is full, so that a slow
 * reader slows the sources down and nothing piles up here. A door, since both sides wait.
 */

/** Enough that writers and reader take turns seldom. */
const capacity = 32;

export class Channel<Item> implements AsyncIterable<Item> {
  readonly #items: Item[] = [];
  readonly #writers: (() => void)[] = [];
  #reader: (() => void) | undefined;
  #ended = false;
  #error: unknown;

  get ended(): boolean {
    return this.#ended;
  }

  /** Resolves when there is room for more. What comes after the end is dropped. */
  async push(item: Item): Promise<void> {
    while (this.#items.length >= capacity && !this.#ended) {
      await new Promise<void>((resolve) => this.#writers.push(resolve));
    }
    if (this.#ended) return;
    this.#items.push(item);
    this.#reader?.();
  }

  /** The reader gets what is here already, then the end, or the error. The first end counts. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#reader?.();
    for (const release of this.#writers.splice(0)) release();
  }

  /** Pushes all of a source; its failure is the caller's. Stops when the channel ends. */
  async pour(source: AsyncIterable<Item>): Promise<void> {
    for await (const item of source) {
      await this.push(item);
      if (this.#ended) return;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    try {
      for (;;) {
        const item = this.#items.shift();
        if (item !== undefined) {
          this.#writers.shift()?.();
          yield item;
        } else if (this.#ended) {
          if (this.#error !== undefined) throw this.#error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#reader = resolve;
          });
        }
      }
    } finally {
      this.end();
    }
  }
}

/** By time, oldest first, each source being in order itself. Holds one item of each. */
export async function* mergeByTime<Item extends { readonly atMs: number }>(
  sources: readonly AsyncIterable<Item>[],
): AsyncGenerator<Item> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  try {
    const steps = await Promise.all(iterators.map((iterator) => iterator.next()));
    for (;;) {
      let first = -1;
      steps.forEach((step, index) => {
        if (step.done) return;
        const best = steps[first];
        if (best === undefined || best.done || step.value.atMs < best.value.atMs) first = index;
      });
      const step = steps[first];
      const iterator = iterators[first];
      if (step === undefined || step.done || iterator === undefined) return;
      yield step.value;
      steps[first] = await iterator.next();
    }
  } finally {
    await Promise.allSettled(iterators.map((iterator) => iterator.return?.()));
  }
}
