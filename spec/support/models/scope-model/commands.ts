import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { expect } from 'chai';
import fc, { type Arbitrary, type AsyncCommand } from 'fast-check';
import { answerIn, checkPlace, nameOf, openTransactions, type FlowState, type Model, type Place, type Real } from './model.ts';
import type { Flow, Into } from './flow.ts';
import { enteredNow, isStill, newTenant, type Change, type TenantState, type Tenants } from './tenants.ts';
import {
  CHANGED,
  OTHER_TENANT,
  PUBLIC,
  READ_PATHS,
  WRITE_PATHS,
  type KeptPath,
  type Named,
  type ReadPath,
  type World,
  type WritePath,
} from './world.ts';
import { waitBy, type Wait } from './waits.ts';

type Command = AsyncCommand<Model, Real>;

const MAX_DEPTH = 6;

/** A step of one flow. If it is not `awaited`, the other flows continue before it is done. */
abstract class Step implements Command {
  readonly flow: number;
  readonly awaited: boolean;

  constructor(flow: number, awaited: boolean) {
    this.flow = flow;
    this.awaited = awaited;
  }

  check(model: Readonly<Model>): boolean {
    return this.isPossible(model.flows[this.flow]!, model);
  }

  async run(model: Model, real: Real): Promise<void> {
    const state = model.flows[this.flow]!;
    real.count.operations += 1;
    // before the model moves on
    const awaited = this.awaited || this.hasToBeAwaited(state);
    const done = this.start(real.flows[this.flow]!, state, model, real);

    if (awaited) {
      await done;
    } else {
      real.pending.push(done);
      done.catch((error: unknown) => real.failures.push(error));
    }

    // the code that runs the commands is in no scope
    checkPlace(real.world, undefined);

    if (real.failures.length > 0) {
      throw real.failures[0];
    }
  }

  toString(): string {
    return `flow ${this.flow} ${this.does()}${this.awaited ? '' : ' meanwhile'}`;
  }

  protected isPossible(_state: FlowState, _model: Readonly<Model>): boolean {
    return true;
  }

  protected hasToBeAwaited(_state: FlowState): boolean {
    return false;
  }

  protected abstract does(): string;

  /** Moves the model, and lets the flow do the same. */
  protected abstract start(flow: Flow, state: FlowState, model: Model, real: Real): Promise<void>;

  /** Does something where the flow is, which leaves it there. */
  protected act(flow: Flow, { place }: FlowState, { world }: Real, work: (place: Place) => unknown): Promise<void> {
    return flow.act(
      () => work(place),
      () => checkPlace(world, place),
    );
  }
}

/** Which of the tenants, by its place among them, or the public scope. */
type Which = number | typeof PUBLIC;

class EnterScope extends Step {
  readonly which: Which;
  readonly by: 'name' | 'row';

  constructor(flow: number, awaited: boolean, which: Which, by: 'name' | 'row') {
    super(flow, awaited);
    this.which = which;
    this.by = by;
  }

  protected override isPossible(state: FlowState): boolean {
    return state.levels.length < MAX_DEPTH;
  }

  protected does(): string {
    return this.which === PUBLIC ? 'enters the public scope' : `enters tenant ${this.which} by its ${this.by}`;
  }

  protected start(flow: Flow, state: FlowState, { tenants }: Model, { world }: Real): Promise<void> {
    const place = this.which === PUBLIC ? PUBLIC : enteredNow(tenants[this.which]!);
    state.levels.push({ kind: 'scope', place });
    const into: Into = inside => (place === PUBLIC ? world.inPublic(inside) : world.inTenant(namedNow(place.tenant), this.by, inside));

    return flow.enter(into, () => checkPlace(world, place));
  }
}

class Begin extends Step {
  protected override isPossible(state: FlowState, model: Readonly<Model>): boolean {
    return state.levels.length < MAX_DEPTH && canBegin(state, model);
  }

  protected does(): string {
    return 'begins a transaction';
  }

  protected start(flow: Flow, state: FlowState, _model: Model, { world }: Real): Promise<void> {
    const { place } = state;
    state.levels.push({ kind: 'transaction', writes: [] });

    return flow.enter(
      inside => world.inTransaction(inside),
      () => checkPlace(world, place),
    );
  }
}

class Leave extends Step {
  protected override isPossible(state: FlowState): boolean {
    return state.levels.length > 0;
  }

  // otherwise the model would count a connection as free too early
  protected override hasToBeAwaited(state: FlowState): boolean {
    return state.endsTransaction(1);
  }

  protected does(): string {
    return 'leaves';
  }

  protected start(flow: Flow, state: FlowState, model: Model, { world }: Real): Promise<void> {
    state.leave(model);
    const { place } = state;

    return flow.leave(() => checkPlace(world, place));
  }
}

class ThrowOut extends Step {
  readonly levels: number;

  constructor(flow: number, awaited: boolean, levels: number) {
    super(flow, awaited);
    this.levels = levels;
  }

  protected override isPossible(state: FlowState): boolean {
    return state.levels.length >= this.levels;
  }

  protected override hasToBeAwaited(state: FlowState): boolean {
    return state.endsTransaction(this.levels);
  }

  protected does(): string {
    return `throws out of ${this.levels}`;
  }

  protected start(flow: Flow, state: FlowState, _model: Model, { world }: Real): Promise<void> {
    state.throwOut(this.levels);
    const { place } = state;

    return flow.throwOut(this.levels, () => checkPlace(world, place));
  }
}

class WaitThere extends Step {
  readonly wait: Wait;

  constructor(flow: number, awaited: boolean, wait: Wait) {
    super(flow, awaited);
    this.wait = wait;
  }

  protected does(): string {
    return `waits by ${this.wait}`;
  }

  protected start(flow: Flow, state: FlowState, _model: Model, real: Real): Promise<void> {
    return this.act(flow, state, real, () => waitBy(this.wait));
  }
}

class Read extends Step {
  readonly path: ReadPath;

  constructor(flow: number, awaited: boolean, path: ReadPath) {
    super(flow, awaited);
    this.path = path;
  }

  protected does(): string {
    return `reads by ${this.path}`;
  }

  protected start(flow: Flow, state: FlowState, _model: Model, real: Real): Promise<void> {
    return this.act(flow, state, real, place => expectRead(real.world, this.path, place));
  }
}

class Write extends Step {
  readonly path: WritePath;

  constructor(flow: number, awaited: boolean, path: WritePath) {
    super(flow, awaited);
    this.path = path;
  }

  protected override isPossible(state: FlowState): boolean {
    return state.entered !== undefined;
  }

  protected does(): string {
    return `writes by ${this.path}`;
  }

  protected start(flow: Flow, state: FlowState, model: Model, real: Real): Promise<void> {
    const entered = state.entered!;
    const { label } = entered.tenant;
    const isPossible = isStill(entered);

    if (isPossible) {
      state.write(label, model);
    }

    return this.act(flow, state, real, async () => {
      expect(await real.world.write(`written for ${label}`, this.path), `write by ${this.path}`).to.equal(isPossible ? undefined : CHANGED);
    });
  }
}

/** A savepoint in which another tenant is read. It is rolled back before the next read. */
class Undo extends Step {
  readonly which: number;

  constructor(flow: number, awaited: boolean, which: number) {
    super(flow, awaited);
    this.which = which;
  }

  protected override isPossible(state: FlowState, model: Readonly<Model>): boolean {
    return canBegin(state, model);
  }

  // it may have a transaction that the model does not know
  protected override hasToBeAwaited(): boolean {
    return true;
  }

  protected does(): string {
    return `reads tenant ${this.which} in a savepoint, rolls it back and reads again`;
  }

  protected start(flow: Flow, state: FlowState, { tenants }: Model, real: Real): Promise<void> {
    const { world } = real;
    const undone = new Error('taken back');
    const entered = enteredNow(tenants[this.which]!);
    const read = (): Promise<void> => world.inTenant(namedNow(entered.tenant), 'row', () => expectRead(world, 'find', entered));
    const readAndUndo = async (): Promise<void> => {
      await read();
      throw undone;
    };

    return this.act(flow, state, real, place =>
      world.inTransaction(async () => {
        await world.inTransaction(readAndUndo).catch((error: unknown) => {
          if (error !== undone) {
            throw error;
          }
        });
        await read();
        await expectRead(world, 'find', place);
      }),
    );
  }
}

class Abort extends Step {
  readonly when: 'before' | 'meanwhile';

  constructor(flow: number, awaited: boolean, when: 'before' | 'meanwhile') {
    super(flow, awaited);
    this.when = when;
  }

  // a query that is still running would block the transaction
  protected override isPossible(state: FlowState): boolean {
    return state.entered !== undefined && (this.when === 'before' || !state.isInTransaction);
  }

  protected does(): string {
    return `reads and aborts ${this.when}`;
  }

  protected start(flow: Flow, state: FlowState, _model: Model, real: Real): Promise<void> {
    return this.act(flow, state, real, () => real.world.abortedRead(this.when));
  }
}

class Keep extends Step {
  readonly path: KeptPath;

  constructor(flow: number, path: KeptPath) {
    super(flow, true);
    this.path = path;
  }

  // queries of a transaction fail after it ends
  protected override isPossible(state: FlowState, { keptPaths }: Model): boolean {
    return state.entered !== undefined && !state.isInTransaction && keptPaths.includes(this.path);
  }

  protected does(): string {
    return `keeps a ${this.path}`;
  }

  protected start(flow: Flow, state: FlowState, model: Model, real: Real): Promise<void> {
    model.kept.push({ entered: state.entered!, path: this.path });

    return this.act(flow, state, real, () => real.kept.push(real.world.keep(this.path)));
  }
}

class UseKept extends Step {
  protected override isPossible(_state: FlowState, model: Model): boolean {
    return model.kept.length > 0;
  }

  protected does(): string {
    return 'uses what was kept first';
  }

  protected start(flow: Flow, state: FlowState, model: Model, real: Real): Promise<void> {
    const { entered, path } = model.kept.shift()!;
    const use = real.kept.shift()!;
    const here = state.entered;
    let expected = answerIn(entered);

    // a query stays with its tenant; an EntityManager does too, or is refused where there is another
    if (path === 'fork' && here !== undefined && here.tenant !== entered.tenant) {
      expected = here.name === entered.name ? CHANGED : OTHER_TENANT;
    } else if (path === 'fork' && here !== undefined && here.name !== entered.name) {
      expected = OTHER_TENANT;
    }

    return this.act(flow, state, real, async () => expect(await use()).to.equal(expected));
  }
}

class Detach extends Step {
  readonly wait: Wait;
  readonly reads: boolean;

  constructor(flow: number, awaited: boolean, wait: Wait, reads: boolean) {
    super(flow, awaited);
    this.wait = wait;
    this.reads = reads;
  }

  protected does(): string {
    return `detaches what ${this.reads ? 'reads' : 'looks'} after waiting by ${this.wait}`;
  }

  protected start(flow: Flow, state: FlowState, _model: Model, real: Real): Promise<void> {
    const reads = this.reads && !state.isInTransaction;

    return this.act(flow, state, real, place => {
      const detached = waitBy(this.wait).then(() => lookAndRead(real.world, place, reads));
      detached.catch((error: unknown) => real.failures.push(error));
      real.pending.push(detached);
    });
  }
}

class Bind extends Step {
  readonly by: 'promise' | 'event' | 'resource';
  readonly reads: boolean;

  constructor(flow: number, by: 'promise' | 'event' | 'resource', reads: boolean) {
    super(flow, true);
    this.by = by;
    this.reads = reads;
  }

  protected override isPossible(_state: FlowState, { bound }: Model): boolean {
    return bound.length < 20;
  }

  protected does(): string {
    return `binds by ${this.by} what ${this.reads ? 'reads' : 'looks'}`;
  }

  protected start(flow: Flow, state: FlowState, model: Model, real: Real): Promise<void> {
    const reads = this.reads && !state.isInTransaction;
    model.bound.push({ where: state.place, reads });

    return this.act(flow, state, real, place => {
      real.bound.push(bindBy(this.by, () => lookAndRead(real.world, place, reads)));
    });
  }
}

class Fire extends Step {
  protected override isPossible(_state: FlowState, model: Model): boolean {
    return model.bound.length > 0;
  }

  protected does(): string {
    return 'fires what was bound first';
  }

  protected start(flow: Flow, state: FlowState, model: Model, real: Real): Promise<void> {
    model.bound.shift();
    const fire = real.bound.shift()!;

    return this.act(flow, state, real, () => fire());
  }
}

/** Several concurrent scopes inside the flow's scope, some of which throw. */
class Visit extends Step {
  readonly how: 'at once' | 'by forEachTenant';
  readonly which: readonly number[];
  readonly wait: Wait;
  readonly failing: number;

  constructor(flow: number, awaited: boolean, how: Visit['how'], which: readonly number[], wait: Wait, failing: number) {
    super(flow, awaited);
    this.how = how;
    this.which = which;
    this.wait = wait;
    this.failing = failing;
  }

  protected does(): string {
    const failing = this.which[this.failing];

    return `visits ${this.which.join(', ')} ${this.how}, waits by ${this.wait}${failing === undefined ? '' : ` and throws in ${failing}`}`;
  }

  protected start(flow: Flow, state: FlowState, { tenants }: Model, real: Real): Promise<void> {
    const { world } = real;
    const visited = new Map(this.which.map(each => [tenants[each]!.name, tenants[each]!]));
    const failing = tenants[this.which[this.failing] ?? -1]?.name;
    const visit = async (name: string): Promise<void> => {
      const place = enteredNow(visited.get(name)!);
      checkPlace(world, place);
      await waitBy(this.wait);
      checkPlace(world, place);

      if (name === failing) {
        throw new Error('thrown by a visit');
      }
    };

    return this.act(flow, state, real, async () => {
      const failed =
        this.how === 'at once'
          ? await visitAtOnce(world, [...visited.values()], visit)
          : await world.forEach([...visited.keys()], 3, visit);
      expect(failed).to.deep.equal(failing === undefined ? [] : [failing]);
    });
  }
}

/** What becomes of tenants while flows are in their scopes. Nobody is in a transaction, whose commit would say what it knows of it. */
class ChangeTenants implements Command {
  readonly kind: Change['kind'];
  readonly which: readonly [number, number];

  constructor(kind: Change['kind'], which: readonly [number, number]) {
    this.kind = kind;
    this.which = which;
  }

  check(model: Readonly<Model>): boolean {
    const [one, other] = this.#tenants(model.tenants);

    // none gets a name again, which would make who was refused under it welcome
    return (
      openTransactions(model) === 0 && (this.kind !== 'swap' || (one !== other && !one.names.has(other.name) && !other.names.has(one.name)))
    );
  }

  async run(model: Model, real: Real): Promise<void> {
    real.count.operations += 1;
    // what is under way is done as it was begun
    await Promise.allSettled(real.pending.splice(0));
    await real.world.change(this.#change(model.tenants));
    checkPlace(real.world, undefined);

    if (real.failures.length > 0) {
      throw real.failures[0];
    }
  }

  toString(): string {
    return `${this.kind} ${this.kind === 'swap' ? this.which.join(' and ') : this.which[0]}`;
  }

  #tenants(tenants: Tenants): [TenantState, TenantState] {
    return [tenants[this.which[0]]!, tenants[this.which[1]]!];
  }

  #change(tenants: Tenants): Change {
    const [one, other] = this.#tenants(tenants);
    const { label, name } = one;

    switch (this.kind) {
      case 'rename': {
        rename(one, `${name.replace(/_\d+$/, '')}_${++count}`);

        return { kind: 'rename', label, from: name, to: one.name };
      }
      case 're-create': {
        const successor = newTenant(`${label.replace(/ .*/, '')} ${++count}`, name);
        one.isAlive = false;
        tenants[this.which[0]] = successor;

        return { kind: 're-create', label, name, newLabel: successor.label };
      }
      case 'swap': {
        const names = [name, other.name] as const;
        rename(one, names[1]);
        rename(other, names[0]);

        return { kind: 'swap', labels: [label, other.label], names };
      }
    }
  }
}

function rename(tenant: TenantState, name: string): void {
  tenant.name = name;
  tenant.names.add(name);
}

function namedNow({ label, name }: TenantState): Named {
  return { label, name };
}

/** For names and labels that no tenant has had. */
let count = 0;

/** Any command over so many flows and those tenants; about one of ten sends SQL. */
export function anyCommand(flows: number, tenants: number, waits: readonly Wait[], changes: number): Arbitrary<Command> {
  const flow = fc.nat({ max: flows - 1 });
  const tenant = fc.nat({ max: tenants - 1 });
  // the simpler case is the one that is waited for
  const awaited = fc.boolean().map(meanwhile => !meanwhile);
  // of those that a flow goes back to again and again, and of all
  const entered = fc
    .tuple(flow, awaited, fc.oneof(fc.nat({ max: 1 }), fc.nat({ max: tenants - 1 })))
    .map(([of, waits, nth]) => [of, waits, (of * 4 + nth) % tenants] as const);
  const wait = fc.constantFrom(...waits);
  const seldom = fc.nat({ max: 9 }).map(number => number === 9);
  const some = fc.uniqueArray(tenant, { minLength: 1, maxLength: 4 });
  const of = (weight: number, arbitrary: Arbitrary<Command>): { weight: number; arbitrary: Arbitrary<Command> } => ({ weight, arbitrary });

  return fc.oneof(
    of(
      180,
      entered.map(args => new EnterScope(...args, 'row')),
    ),
    of(
      5,
      entered.map(args => new EnterScope(...args, 'name')),
    ),
    of(
      40,
      fc.tuple(flow, awaited).map(args => new EnterScope(...args, PUBLIC, 'row')),
    ),
    of(
      12,
      fc.tuple(flow, awaited).map(args => new Begin(...args)),
    ),
    of(
      10,
      entered.map(args => new Undo(...args)),
    ),
    of(
      150,
      fc.tuple(flow, awaited).map(args => new Leave(...args)),
    ),
    of(
      70,
      fc.tuple(flow, awaited, fc.integer({ min: 1, max: 3 })).map(args => new ThrowOut(...args)),
    ),
    of(
      200,
      fc.tuple(flow, awaited, wait).map(args => new WaitThere(...args)),
    ),
    of(
      40,
      fc.tuple(flow, awaited, fc.constantFrom(...READ_PATHS)).map(args => new Read(...args)),
    ),
    of(
      8,
      fc.tuple(flow, awaited, fc.constantFrom(...WRITE_PATHS)).map(args => new Write(...args)),
    ),
    of(
      6,
      fc.tuple(flow, awaited, fc.constantFrom('before', 'meanwhile')).map(args => new Abort(...args)),
    ),
    of(
      10,
      fc.tuple(flow, fc.constantFrom<KeptPath>('qb', 'Kysely', 'stream', 'fork')).map(args => new Keep(...args)),
    ),
    of(
      10,
      fc.tuple(flow, awaited).map(args => new UseKept(...args)),
    ),
    of(
      100,
      fc.tuple(flow, awaited, wait, seldom).map(args => new Detach(...args)),
    ),
    of(
      60,
      fc.tuple(flow, fc.constantFrom('promise', 'event', 'resource'), seldom).map(args => new Bind(...args)),
    ),
    of(
      60,
      fc.tuple(flow, awaited).map(args => new Fire(...args)),
    ),
    of(
      40,
      fc.tuple(flow, awaited, fc.constant('at once'), some, wait, fc.nat({ max: 9 })).map(args => new Visit(...args)),
    ),
    ...(changes === 0
      ? []
      : [
          of(
            changes,
            fc
              .tuple(fc.constantFrom<Change['kind']>('rename', 're-create', 'swap'), fc.tuple(tenant, tenant))
              .map(([kind, which]) => new ChangeTenants(kind, which)),
          ),
        ]),
    of(
      10,
      fc.tuple(flow, awaited, fc.constant('by forEachTenant'), some, wait, fc.nat({ max: 9 })).map(args => new Visit(...args)),
    ),
  );
}

function canBegin(state: FlowState, model: Readonly<Model>): boolean {
  return model.maxTransactions > 0 && (state.isInTransaction || openTransactions(model) < model.maxTransactions);
}

async function lookAndRead(world: World, place: Place, reads: boolean): Promise<void> {
  checkPlace(world, place);

  if (reads) {
    await expectRead(world, 'find', place);
    checkPlace(world, place);
  }
}

async function expectRead(world: World, path: ReadPath, place: Place): Promise<void> {
  expect(await world.read(path), `read by ${path} in ${nameOf(place) ?? 'no scope'}`).to.equal(answerIn(place));
}

/** Binds work to the current scope. Returns a function that does the work there, in whichever scope it is called. */
function bindBy(by: Bind['by'], work: () => Promise<void>): () => Promise<void> {
  if (by === 'resource') {
    return AsyncResource.bind(work);
  }

  if (by === 'promise') {
    let open: () => void = () => undefined;
    const gate = new Promise<void>(resolve => (open = resolve));
    const done = gate.then(work);
    done.catch(() => undefined);

    return () => {
      open();

      return done;
    };
  }

  const events = new EventEmitter();
  const done = new Promise<void>((resolve, reject) => {
    events.once(
      'fired',
      AsyncResource.bind(() => void work().then(resolve, reject)),
    );
  });
  done.catch(() => undefined);

  return () => {
    events.emit('fired');

    return done;
  };
}

async function visitAtOnce(world: World, tenants: readonly TenantState[], visit: (name: string) => Promise<void>): Promise<string[]> {
  const failed: string[] = [];
  await Promise.all(
    tenants.map(tenant =>
      world
        .inTenant(namedNow(tenant), 'row', () => visit(tenant.name))
        .catch((error: unknown) => {
          if ((error as Error).message !== 'thrown by a visit') {
            throw error;
          }

          failed.push(tenant.name);
        }),
    ),
  );

  return failed;
}
