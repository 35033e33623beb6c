/** How many tenants share a message. It follows from how long they take, so that a run can be stopped and shows its progress as promptly as without. */
export class MessageSize {
  #tenants = 1;

  /** Of the tenants that are left, each of the connections gets some. */
  next(left: number, connections: number): number {
    return Math.max(1, Math.min(this.#tenants, Math.max(FEWEST, Math.ceil(left / connections))));
  }

  took(tenants: number, durationMs: number): void {
    if (tenants === 0) {
      return;
    }

    this.#tenants = Math.max(1, Math.min(MOST, tenants * GROWTH, Math.floor((LONGEST_MS * tenants) / durationMs)));
  }

  failed(): void {
    this.#tenants = Math.max(1, Math.floor(this.#tenants / 2));
  }
}

/** What a further tenant would save is less than a hundredth. */
const MOST = 16;

/** Fewer at the end of a run take longer than the connections wait for each other. */
const FEWEST = 4;

const GROWTH = 4;

const LONGEST_MS = 200;
