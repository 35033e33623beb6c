import { TenantError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { inspect } from 'node:util';
import type { ClientRequest, Loss, RefusingProxy } from './refusing-proxy.ts';
import { asObserver } from '../assertions/statement-watch.ts';
import { randomPick } from '../generators/random.ts';

/**
 * What a server may refuse a message with. Of all kinds: conflicts, time-outs, a server that has too little, refusals, what the library itself takes for a
 * sign, and ends of sessions.
 */
export const SQLSTATES =
  '40001 40P01 57014 55P03 53200 53300 23505 25006 25001 25P04 42501 42704 22023 22012 42P01 3F000 42P06 0A000 XX000 P0001 57P01 08006'.split(
    ' ',
  );

/** How a connection may be lost at a message. */
export const LOSSES: readonly string[] = ['lost before', 'lost after'];

/** One piece of work, of which a message is refused or lost. */
export interface Tried<Subject> {
  /** Is not refused. */
  prepare?(of: Subject): Promise<unknown>;
  /** Rejects if any part of it fails. */
  run(of: Subject): Promise<unknown>;
  /** Whether it is made of parts, each of which is done whole or not at all. */
  readonly hasParts?: boolean;
  /** Has to hold however it has ended. */
  check?(of: Subject, outcome: Outcome): Promise<void>;
}

export type Outcome = { readonly answer: unknown } | { readonly error: unknown };

/** The work has told that it has left something out, as it takes what was refused for what somebody else is changing. */
export class LeftOut extends Error {}

/** What the work is tried in. */
export interface TrialWorld<Subject> {
  readonly proxy: RefusingProxy;
  readonly random: () => number;
  /** How a failure is replayed. */
  readonly seed: number;
  /** Something else each time. */
  next(): Subject;
  /** Fills what caches there are, so that they have something to forget. */
  fillCaches(subject: Subject): Promise<void>;
  /** All that the work may have changed, without what differs from one time to the next. */
  stateOf(subject: Subject): Promise<string>;
  /** What has to hold after each trial, whatever has happened. */
  expectSound(subject: Subject, label: string): Promise<void>;
  /** Removes what the work has made. */
  clear(subject: Subject): Promise<void>;
}

/** What befalls one message. */
export interface Fault {
  readonly at: number;
  readonly place: number;
  /** A SQLSTATE, or how the connection is lost. */
  readonly kind: string;
}

/** Has one message of a piece of work refused or lost, and compares what is told with what there is. */
export class Trials<Subject> {
  readonly #world: TrialWorld<Subject>;

  constructor(world: TrialWorld<Subject>) {
    this.#world = world;
  }

  /** Tries it with so many faults of these kinds, each at one of all places, and with one more where it is committed. */
  async tryAll(work: Tried<Subject>, kinds: readonly string[], count: number): Promise<void> {
    const { random } = this.#world;
    const whole = await this.#runOnce(work);
    const { places } = whole;
    const commits = places.filter(({ isCommit }) => isCommit);
    const chosen = [
      ...(places.length <= count ? places : Array.from({ length: count }, () => randomPick(random)(places))),
      ...(commits.length === 0 ? [] : [randomPick(random)(commits)]),
    ];

    for (const { at, place } of chosen) {
      await this.#try(work, { at, place, kind: randomPick(random)(kinds) }, whole);
    }
  }

  /** Tries it with a fault of this kind where it is committed. */
  async tryCommit(work: Tried<Subject>, kind: string): Promise<void> {
    const whole = await this.#runOnce(work);
    const { at, place } = whole.places.findLast(({ isCommit }) => isCommit)!;
    await this.#try(work, { at, place, kind }, whole);
  }

  /** Runs it with nothing refused, to see what it sends. */
  async #runOnce(work: Tried<Subject>): Promise<Whole> {
    const { proxy } = this.#world;
    const subject = this.#world.next();
    await work.prepare?.(subject);
    await this.#world.fillCaches(subject);
    const before = await this.#world.stateOf(subject);
    const places: Place[] = [];
    let at = 0;
    proxy.decide = request => {
      at += 1;

      // PostgreSQL takes it in no message of several
      const count = / concurrently /.test(request.statements[0] ?? '') ? 1 : request.places;

      for (let place = 0; place < count; place += 1) {
        places.push({ at, place, isCommit: /^commit\b/.test(request.statements[place] ?? '') });
      }

      return undefined;
    };
    const outcome = await outcomeOf(() => work.run(subject));
    proxy.decide = undefined;

    if ('error' in outcome) {
      throw outcome.error;
    }

    await work.check?.(subject, outcome);
    const after = await this.#world.stateOf(subject);
    await this.#world.clear(subject);

    return { places, before, after, answer: told(outcome.answer) };
  }

  async #try(work: Tried<Subject>, fault: Fault, whole: Whole): Promise<void> {
    const { proxy, seed } = this.#world;
    const subject = this.#world.next();
    await work.prepare?.(subject);
    await this.#world.fillCaches(subject);
    const before = await this.#world.stateOf(subject);
    let seen = 0;
    let label = '';
    proxy.decide = request => {
      seen += 1;

      // a cache may have made it shorter
      if (seen !== fault.at || fault.place >= request.places) {
        return undefined;
      }

      label = `${labelOf(fault, request)} (FC_SEED=${seed})`;

      return isLoss(fault.kind) ? fault.kind : { place: fault.place, sqlState: fault.kind };
    };
    const outcome = await outcomeOf(() => (OF_ROLES.includes(fault.kind) ? asObserver(() => work.run(subject)) : work.run(subject)));
    proxy.decide = undefined;
    const state = await this.#world.stateOf(subject);

    if ('answer' in outcome) {
      expect({ state, answer: told(outcome.answer) }, label).to.deep.equal({ state: whole.after, answer: whole.answer });
    } else {
      expectTold(outcome.error, fault.kind, label);

      if (work.hasParts !== true) {
        const mayBeDone = isLoss(fault.kind) || isDone(outcome.error);
        expect(state, `${label}: ${String(outcome.error)}`).to.be.oneOf(mayBeDone ? [before, whole.after] : [before]);
      }
    }

    await work.check?.(subject, outcome);
    await this.#world.expectSound(subject, label);

    if ('error' in outcome) {
      await this.#runAgain(work, subject, { wasDone: state === whole.after && state !== before, label, whole });
    }

    await this.#world.clear(subject);
  }

  /** Nothing that was left stands in its way. */
  async #runAgain(
    work: Tried<Subject>,
    subject: Subject,
    { wasDone, label, whole }: { readonly wasDone: boolean; readonly label: string; readonly whole: Whole },
  ): Promise<void> {
    const again = await outcomeOf(() => work.run(subject));

    if ('error' in again && !(wasDone && again.error instanceof TenantError)) {
      throw new Error(`the second time, after ${label}`, { cause: again.error });
    }

    expect(await this.#world.stateOf(subject), `the second time, after ${label}`).to.equal(whole.after);
  }
}

function expectTold(error: unknown, kind: string, label: string): void {
  if (error instanceof LeftOut) {
    expect(kind, label).to.be.oneOf(OF_CHANGES);
    return;
  }

  const text = inspect(error, { depth: 10 });

  if (isLoss(kind)) {
    expect(text, label).to.match(LOST);
  } else {
    expect(text, label).to.contain(kind);
  }
}

/** What says that the work is done, and something after it is not. */
function isDone(error: unknown): boolean {
  return error instanceof TenantError && error.code === 'IMPORT_NOT_MIGRATED';
}

function isLoss(kind: string): kind is Loss {
  return kind === 'lost before' || kind === 'lost after';
}

function labelOf({ at, place, kind }: Fault, { statements }: ClientRequest): string {
  return `${kind} at ${statements[place] ?? 'the end'}, which is place ${place} of message ${at}`;
}

/** An answer without what differs from one time to the next. */
function told(answer: unknown): string {
  return Buffer.isBuffer(answer) ? 'bytes' : inspect(answer, { depth: 5 }).replaceAll(/\d+(?:\.\d+)?/g, 'N');
}

async function outcomeOf(run: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { answer: await run() };
  } catch (error) {
    return { error };
  }
}

const LOST = /Connection terminated|connection lost|not queryable|ECONNRESET|57P01|08\d\d\d/i;

/** Of what is dropped or locked while it is looked at. */
const OF_CHANGES = ['55P03', '42P01', '3F000', 'XX000'];

/** What may say that a role could not be set: the statement is then sent once more, without it in its message. */
const OF_ROLES = ['42501', '22023', '42704'];

interface Place {
  readonly at: number;
  readonly place: number;
  readonly isCommit: boolean;
}

interface Whole {
  readonly places: readonly Place[];
  readonly before: string;
  readonly after: string;
  readonly answer: string;
}
