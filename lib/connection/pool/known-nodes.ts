import type { Configuration } from '@mikro-orm/core';

/** On which node of Citus each tenant is, as far as the process knows. It is read again from time to time, while nobody waits for it. */
export class KnownNodes {
  #read: (() => Promise<ReadonlyMap<string, string>>) | undefined;
  #nodes: ReadonlyMap<string, string> = new Map();
  #readAt = -Infinity;
  #isReading = false;
  #isOutdated = false;

  /** Those of one ORM. */
  static of(config: Configuration): KnownNodes {
    const nodes = known.get(config) ?? new KnownNodes();
    known.set(config, nodes);

    return nodes;
  }

  /** Says how the nodes are read: host and port by schema name. */
  readBy(read: () => Promise<ReadonlyMap<string, string>>): void {
    this.#read = read;
  }

  /** Host and port of the tenant's node. Undefined where it is on none, or is not known yet. */
  nodeOf(schemaName: string): string | undefined {
    if (performance.now() - this.#readAt > KEPT_MS) {
      this.refresh();
    }

    return this.#nodes.get(schemaName);
  }

  /** Reads again soon, such as after a move. */
  refresh(): void {
    if (this.#read === undefined) {
      return;
    }

    // what is being read may be as it was before the move
    this.#isOutdated = this.#isReading;

    if (this.#isReading) {
      return;
    }

    this.#isReading = true;
    this.#readAt = performance.now();
    this.#read()
      .then(nodes => {
        this.#nodes = nodes;
      })
      // what was known stays
      .catch(() => undefined)
      .finally(() => {
        this.#isReading = false;

        if (this.#isOutdated) {
          this.refresh();
        }
      });
  }
}

const known = new WeakMap<Configuration, KnownNodes>();

const KEPT_MS = 10_000;
