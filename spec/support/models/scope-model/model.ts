import type { Flow } from './flow.ts';
import { isStill, type Entered, type Tenants } from './tenants.ts';
import { CHANGED, NO_TENANT, PUBLIC, type KeptPath, type World } from './world.ts';

/** The expected state: the position of each flow, and the written rows. */
export interface Model {
  readonly flows: readonly FlowState[];
  readonly tenants: Tenants;
  /** How many transactions may be open at once. Each holds a connection. */
  readonly maxTransactions: number;
  readonly keptPaths: readonly KeptPath[];
  /** Queries that were created in a scope, to run later. */
  readonly kept: { readonly entered: Entered; readonly path: KeptPath }[];
  /** The scopes of bound functions that are called later. */
  readonly bound: { readonly where: Place; readonly reads: boolean }[];
  /** The rows of each tenant that were committed, by its label. */
  readonly written: Map<string, number>;
}

/** The system that is compared with the model. */
export interface Real {
  readonly world: World;
  readonly flows: readonly Flow[];
  readonly kept: (() => Promise<string>)[];
  readonly bound: (() => Promise<void>)[];
  /** Work that was not awaited yet. */
  readonly pending: Promise<void>[];
  failures: unknown[];
  /** How many commands were run. */
  readonly count: { operations: number };
}

/** A tenant, the public scope, or none. */
export type Place = Entered | typeof PUBLIC | undefined;

type Level =
  | { readonly kind: 'scope'; readonly place: Entered | typeof PUBLIC }
  /** With the tenants of the rows written in it. */
  | { readonly kind: 'transaction'; readonly writes: string[] };

/** The position of a flow: the scopes and transactions that it is in, the innermost last. */
export class FlowState {
  readonly levels: Level[] = [];

  get place(): Place {
    return this.levels.findLast(level => level.kind === 'scope')?.place;
  }

  get entered(): Entered | undefined {
    return this.place === PUBLIC ? undefined : this.place;
  }

  get isInTransaction(): boolean {
    return this.levels.some(level => level.kind === 'transaction');
  }

  /** Whether the innermost levels hold the transaction, so that leaving them ends it. */
  endsTransaction(levels: number): boolean {
    return this.levels.slice(-levels).some(level => level.kind === 'transaction');
  }

  write(tenant: string, model: Model): void {
    const transaction = this.levels.findLast(level => level.kind === 'transaction');

    if (transaction === undefined) {
      model.written.set(tenant, (model.written.get(tenant) ?? 0) + 1);
    } else {
      transaction.writes.push(tenant);
    }
  }

  leave(model: Model): void {
    const level = this.levels.pop();

    if (level?.kind === 'transaction') {
      level.writes.forEach(tenant => this.write(tenant, model));
    }
  }

  throwOut(levels: number): void {
    this.levels.splice(-levels);
  }
}

/** Fails unless every API reports this position to the flow. */
export function checkPlace(world: World, place: Place): void {
  const name = nameOf(place);
  const tenant = place === PUBLIC ? undefined : name;
  const here = world.here();

  if (here.tenant !== tenant || here.schema !== name || here.em !== tenant) {
    throw new Error(`In ${name ?? 'no scope'} a flow was told: tenant ${here.tenant}, schema ${here.schema}, schema of the em ${here.em}.`);
  }
}

/** The expected result of a read there. */
export function answerIn(place: Place): string {
  if (place === undefined || place === PUBLIC) {
    return NO_TENANT;
  }

  return isStill(place) ? place.tenant.label : CHANGED;
}

export function nameOf(place: Place): string | undefined {
  return typeof place === 'object' ? place.name : place;
}

export function openTransactions({ flows }: Model): number {
  return flows.filter(flow => flow.isInTransaction).length;
}

/** Leaves every scope, calls the bound functions, and rethrows earlier failures. */
export async function finish(model: Model, { world, flows, bound, pending, failures }: Real): Promise<void> {
  for (const [index, state] of model.flows.entries()) {
    while (state.levels.length > 0) {
      state.leave(model);
      const { place } = state;
      pending.push(flows[index]!.leave(() => checkPlace(world, place)));
    }
  }

  pending.push(...bound.splice(0).map(fire => fire()));

  for (const outcome of await Promise.allSettled(pending.splice(0))) {
    if (outcome.status === 'rejected') {
      failures.push(outcome.reason);
    }
  }

  await Promise.all(flows.map(flow => flow.end()));
  checkPlace(world, undefined);

  if (failures.length > 0) {
    throw failures[0];
  }
}
