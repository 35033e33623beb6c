/**
 * One flow of the program under test: an async function that executes commands one after the other. It stays in its scopes while other flows
 * continue. Each scope is a nested call, as in a program.
 */
export class Flow {
  readonly #orders: Ticket[] = [];
  #wake: (() => void) | undefined;
  #leaving: Ticket | undefined;
  #hasEnded = false;

  constructor() {
    void this.#live()
      .catch((error: unknown) => {
        // out of the outermost scope
        if (!(error instanceof Unwinding)) {
          throw error;
        }
      })
      .finally(() => {
        this.#hasEnded = true;
        this.#orders.splice(0).forEach(({ fail }) => fail(new Error('The flow has ended.')));
      });
  }

  /** Runs work in the current scope of the flow. Resolves when the work and `check` are done. */
  act(work: () => unknown, check: Check): Promise<void> {
    return this.#tell({ kind: 'act', work }, check);
  }

  /** Enters a scope or a transaction. `check` is called inside. */
  enter(into: Into, check: Check): Promise<void> {
    return this.#tell({ kind: 'enter', into }, check);
  }

  /** Leaves the innermost scope or transaction. `check` is called outside. */
  leave(check: Check): Promise<void> {
    return this.#tell({ kind: 'leave' }, check);
  }

  /** Throws out of the given number of scopes. `check` is called where the error is caught. */
  throwOut(levels: number, check: Check): Promise<void> {
    return this.#tell({ kind: 'throw', levels }, check);
  }

  /** Ends the flow, and leaves everything that it is still in. */
  async end(): Promise<void> {
    while (!this.#hasEnded) {
      this.#push({ order: { kind: 'leave' }, check: () => undefined, done: () => undefined, fail: () => undefined });
      await new Promise(resolve => setImmediate(resolve));
    }
  }

  #tell(order: Order, check: Check): Promise<void> {
    return new Promise((done, fail) => this.#push({ order, check, done, fail }));
  }

  #push(ticket: Ticket): void {
    if (this.#hasEnded) {
      ticket.fail(new Error('The flow has ended.'));
      return;
    }

    this.#orders.push(ticket);
    this.#wake?.();
  }

  async #next(): Promise<Ticket> {
    for (;;) {
      const ticket = this.#orders.shift();

      if (ticket !== undefined) {
        return ticket;
      }

      await new Promise<void>(resolve => (this.#wake = resolve));
    }
  }

  async #live(): Promise<void> {
    for (;;) {
      const ticket = await this.#next();
      const { order } = ticket;

      switch (order.kind) {
        case 'leave':
          this.#leaving = ticket;
          return;
        case 'throw':
          this.#leaving = ticket;
          throw new Unwinding(order.levels);
        case 'act':
          await runOrder(ticket, order.work);
          break;
        case 'enter':
          await this.#enter(ticket, order.into);
          break;
      }
    }
  }

  async #enter(ticket: Ticket, into: Into): Promise<void> {
    try {
      await into(async () => {
        await runOrder(ticket, () => undefined);
        await this.#live();
      });
    } catch (error) {
      if (!(error instanceof Unwinding)) {
        ticket.fail(error);
        this.#leaving?.fail(error);
        return;
      }

      error.levels -= 1;

      if (error.levels > 0) {
        throw error;
      }
    }

    if (this.#leaving !== undefined) {
      await runOrder(this.#leaving, () => undefined);
    }
  }
}

async function runOrder({ check, done, fail }: Ticket, work: () => unknown): Promise<void> {
  try {
    await work();
    check();
    done();
  } catch (error) {
    fail(error);
  }
}

class Unwinding extends Error {
  levels: number;

  constructor(levels: number) {
    super('thrown by the flow');
    this.levels = levels;
  }
}

export type Into = (inside: () => Promise<void>) => Promise<void>;

type Check = () => void;

type Order =
  | { readonly kind: 'act'; readonly work: () => unknown }
  | { readonly kind: 'enter'; readonly into: Into }
  | { readonly kind: 'leave' }
  | { readonly kind: 'throw'; readonly levels: number };

interface Ticket {
  readonly order: Order;
  readonly check: Check;
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}
