import fc, { type AsyncCommand, type IAsyncProperty } from 'fast-check';
import { commandLists } from '../generators/property.ts';

/** How a route answers. */
export const KINDS = ['answer', 'throw', 'error', 'generator', 'SSE', 'web stream', 'detached', 'transaction', 'rows'] as const;

export type Kind = (typeof KINDS)[number];

/** The kinds that hold a connection until they end. */
const HOLDING: readonly Kind[] = ['transaction', 'rows'];

export interface RequestSpec {
  readonly host: string;
  readonly kind: Kind;
  /** How often it waits and checks its scope. */
  readonly steps: number;
  /** Whether each line is larger than a socket's buffers. */
  readonly padded: boolean;
  /** Whether it may reuse the connection of another request. */
  readonly kept: boolean;
  /** Whether the request line has the host too, as a proxy is asked: `GET http://acme.example.com/ HTTP/1.1`. */
  readonly absolute: boolean;
}

/** A request on its way. */
export interface Sent {
  /** Lets it take one more step. */
  step(): void;
  hangUp(): void;
  /** Lets it finish, and checks the answer. */
  finish(): Promise<void>;
}

/** The server under test. */
export interface Site {
  /** Resolves when the route has begun. */
  send(request: RequestSpec): Promise<Sent>;
  /** Fails if anything is left of the requests: a scope, a route, a connection. */
  expectNothingLeft(): Promise<void>;
  readonly failures: unknown[];
}

interface Model {
  readonly requests: { readonly holds: boolean; hungUp: boolean }[];
  readonly maxHolding: number;
}

interface Real {
  readonly site: Site;
  readonly sent: Sent[];
  readonly count: { operations: number };
}

abstract class Command implements AsyncCommand<Model, Real> {
  abstract check(model: Readonly<Model>): boolean;

  async run(model: Model, real: Real): Promise<void> {
    real.count.operations += 1;
    await this.do(model, real);

    if (real.site.failures.length > 0) {
      throw real.site.failures[0];
    }
  }

  protected abstract do(model: Model, real: Real): unknown;

  abstract toString(): string;
}

class Send extends Command {
  readonly request: RequestSpec;

  constructor(request: RequestSpec) {
    super();
    this.request = request;
  }

  check({ requests, maxHolding }: Readonly<Model>): boolean {
    return !this.holds || requests.filter(({ holds }) => holds).length < maxHolding;
  }

  protected async do(model: Model, { site, sent }: Real): Promise<void> {
    model.requests.push({ holds: this.holds, hungUp: false });
    sent.push(await site.send(this.request));
  }

  toString(): string {
    const { host, kind, steps, padded, kept, absolute } = this.request;

    return `send ${kind} of ${steps} ${padded ? 'long' : 'short'} lines to ${host}${kept ? ' on a kept connection' : ''}${absolute ? ', named in the request line' : ''}`;
  }

  private get holds(): boolean {
    return HOLDING.includes(this.request.kind);
  }
}

class Step extends Command {
  readonly nth: number;

  constructor(nth: number) {
    super();
    this.nth = nth;
  }

  check({ requests }: Readonly<Model>): boolean {
    return requests.length > 0;
  }

  protected do({ requests }: Model, { sent }: Real): void {
    sent[this.nth % requests.length]!.step();
  }

  toString(): string {
    return `step ${this.nth}`;
  }
}

class HangUp extends Command {
  readonly nth: number;

  constructor(nth: number) {
    super();
    this.nth = nth;
  }

  check({ requests }: Readonly<Model>): boolean {
    return requests.length > 0 && !requests[this.nth % requests.length]!.hungUp;
  }

  protected do({ requests }: Model, { sent }: Real): void {
    const nth = this.nth % requests.length;
    requests[nth]!.hungUp = true;
    sent[nth]!.hangUp();
  }

  toString(): string {
    return `hang up ${this.nth}`;
  }
}

/** Waits for one turn of the event loop. */
class Turn extends Command {
  check(): boolean {
    return true;
  }

  protected async do(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve));
  }

  toString(): string {
    return 'turn';
  }
}

export interface RequestModelOptions {
  readonly hosts: readonly string[];
  readonly kinds: readonly Kind[];
  readonly maxCommands: number;
  /** How many of the requests of one list may hold a connection. */
  readonly maxHolding: number;
  readonly count: { operations: number };
}

/** Checks that requests which start, continue and stop in any order are answered for their own host, and leave nothing behind. */
export function requestModel(site: () => Site, options: RequestModelOptions): IAsyncProperty<[Iterable<AsyncCommand<Model, Real>>]> {
  const { hosts, kinds, maxCommands, maxHolding, count } = options;
  const request = fc.record({
    host: fc.constantFrom(...hosts),
    kind: fc.constantFrom(...kinds),
    steps: fc.integer({ min: 1, max: 4 }),
    padded: fc.boolean(),
    kept: fc.boolean(),
    absolute: fc.boolean(),
  });
  const command = fc.oneof(
    { weight: 5, arbitrary: request.map(spec => new Send(spec)) },
    { weight: 8, arbitrary: fc.nat({ max: 19 }).map(nth => new Step(nth)) },
    { weight: 2, arbitrary: fc.nat({ max: 19 }).map(nth => new HangUp(nth)) },
    { weight: 2, arbitrary: fc.constant(null).map(() => new Turn()) },
  );

  return fc.asyncProperty(commandLists<Model, Real>([command], maxCommands), async commands => {
    const real: Real = { site: site(), sent: [], count };

    const { failures } = real.site;
    const note = (error: unknown): void => void failures.push(error);
    await fc.asyncModelRun(() => ({ model: { requests: [], maxHolding }, real }), commands).catch(note);
    await Promise.all(real.sent.map(sent => sent.finish().catch(note)));
    await real.site.expectNothingLeft().catch(note);

    if (failures.length > 0) {
      throw failures[0];
    }
  });
}
