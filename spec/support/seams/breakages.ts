import { ObjectHydrator } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { GuardedConnection } from '../../../dist/connection/guard/guarded-connection.js';
import { checkDialect } from '../../../dist/connection/check/checked-dialect.js';
import { CheckedConnection } from '../../../dist/connection/check/checked-connection.js';
import { guardDialect } from '../../../dist/connection/guard/guarded-dialect.js';
import { TenantEntityFactory } from '../../../dist/entities/tenant-entity-factory.js';
import { TenantUnitOfWork } from '../../../dist/entities/tenant-unit-of-work.js';
import { TenantSchemaGenerator } from '../../../dist/migrations/set/tenant-schema-generator.js';
import { guardedDriverOf, guardedEntityManagerOf, guardedHydratorOf } from '../../../dist/orm/guarded-classes.js';
import { liveOwnersOf, ownersOf } from '../../../dist/orm/seams/owners.js';
import { ProbeEntityManager, ProbeWorld } from '../../../dist/orm/seams/probe-world.js';
import { SEAMS } from '../../../dist/orm/seams/register.js';
import { GuardedQueryHelper } from '../../../dist/query/guarded-query-helper.js';
import { TenantQueryBuilder } from '../../../dist/query/tenant-query-builder.js';
import { openProbe } from '../../../dist/with-tenants.js';
import { CHANGES } from './changes.ts';

export type Seam = (typeof SEAMS)[number];

/** A change of a package under the library, as an upgrade may bring it. */
export interface Breakage {
  readonly seam: Seam;
  readonly how: string;
  /** Makes the change in this process, and gives what takes it back. */
  readonly make: () => () => void;
}

/** Methods and fields of prototypes and classes; what they are is looked at and changed here, whatever the types say. */
export type Open = any;

/** What can be changed in this process: every seam that is renamed, that is no longer called, and each of its arguments that moves. */
export async function breakages(): Promise<Breakage[]> {
  const world = new ProbeWorld(PostgreSqlDriver, openProbe);
  const live = liveOwnersOf(world);
  const stock = new PostgreSqlDriver(world.orm.config);
  const owners: Open = { ...live, ...ownersOf(stock) };
  const dialect: Open = live['KyselyDialect'];
  const guardedDriver: Open = guardDialect(dialect, {} as never, {} as never).createDriver();
  const checkedDriver: Open = checkDialect(dialect, {} as never, {} as never).createDriver();
  await world.close();

  const own: Record<string, object[]> = {
    EntityManager: prototypesOf(guardedEntityManagerOf(ProbeEntityManager), ProbeEntityManager),
    SqlEntityManager: prototypesOf(guardedEntityManagerOf(ProbeEntityManager), ProbeEntityManager),
    AbstractSqlDriver: prototypesOf(guardedDriverOf(PostgreSqlDriver), PostgreSqlDriver),
    QueryBuilder: [TenantQueryBuilder.prototype],
    QueryBuilderHelper: [GuardedQueryHelper.prototype],
    Hydrator: [guardedHydratorOf(ObjectHydrator).prototype as object],
    UnitOfWork: [TenantUnitOfWork.prototype],
    EntityFactory: [TenantEntityFactory.prototype],
    SqlSchemaGenerator: [TenantSchemaGenerator.prototype],
    KyselyDriver: [guardedDriver, checkedDriver].map(each => Object.getPrototypeOf(each) as object),
    KyselyConnection: [GuardedConnection.prototype, CheckedConnection.prototype],
  };

  return SEAMS.flatMap(seam => [
    ...renamed(seam, owners),
    ...(CHANGES[seam.name] ?? generic(seam, owners, own)).map(change => ({ seam, ...change })),
  ]);
}

function renamed(seam: Seam, owners: Open): Breakage[] {
  const owner = owners[seam.owner];
  // a field of each object is not to be renamed from here
  const holders =
    owner === undefined || USED_BEFORE.includes(seam.name)
      ? []
      : holdersOf(owner, seam.member).filter(each => seam.onObject !== true || each !== owner);

  return holders.length === 0 ? [] : [{ seam, how: 'renamed', make: () => all(holders.map(holder => rename(holder, seam.member))) }];
}

/** What MikroORM itself calls before anything can be looked at; `renames.ts` has it. */
const USED_BEFORE = ['Configuration.getPlatform', 'WrappedEntity.__meta'];

type Change = Pick<Breakage, 'how' | 'make'>;

function generic(seam: Seam, owners: Open, own: Record<string, object[]>): Change[] {
  const { member, use, by, reads = [] } = seam;
  const [holder]: Open[] = owners[seam.owner] === undefined ? [] : holdersOf(owners[seam.owner], member);
  const ours = (own[seam.owner] ?? []).filter(each => Object.hasOwn(each, member));

  if (use === 'give') {
    return ours.map(each => ({ how: `called by another name on the ${each.constructor.name}`, make: () => remove(each, member) }));
  }

  if (use === 'override' && ours.length > 0) {
    return [
      ...(by === undefined ? [] : [{ how: 'no longer called', make: () => all(ours.map(each => remove(each, member))) }]),
      ...reads.map(place => ({
        how: `its argument ${place} moved`,
        make: () =>
          all([
            ...ours.map((each: Open) => replace(each, member, shifted(each[member], place))),
            replace(holder, member, sameLength(unshifted(holder[member], place), holder[member])),
          ]),
      })),
    ];
  }

  if (use === 'replace' && holder !== undefined && typeof Object.getOwnPropertyDescriptor(holder, member)?.value === 'function') {
    return [
      ...(by === undefined ? [] : [{ how: 'no longer called', make: () => ignoreReplacement(holder, member) }]),
      ...reads.map(place => ({ how: `its argument ${place} moved`, make: () => shiftReplacement(holder, member, place) })),
    ];
  }

  return [];
}

/** The objects of a chain that have the member themselves. */
function holdersOf(object: object, member: string): object[] {
  const holders: object[] = [];

  for (let each: object | null = object; each !== null; each = Object.getPrototypeOf(each) as object | null) {
    if (Object.hasOwn(each, member)) {
      holders.push(each);
    }
  }

  return holders;
}

/** The prototypes of a class, up to another that it extends. */
export function prototypesOf(Class: Open, until: Open): object[] {
  const prototypes: object[] = [];

  for (let each = Class.prototype; each !== until.prototype; each = Object.getPrototypeOf(each)) {
    prototypes.push(each as object);
  }

  return prototypes;
}

export function all(undos: readonly (() => void)[]): () => void {
  return () => undos.toReversed().forEach(undo => undo());
}

export function rename(holder: object, member: string): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(holder, member) as PropertyDescriptor;
  const undo = remove(holder, member);
  Object.defineProperty(holder, `${member}Renamed`, { ...descriptor, configurable: true });

  return () => {
    Reflect.deleteProperty(holder, `${member}Renamed`);
    undo();
  };
}

export function remove(holder: object, member: string): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(holder, member) as PropertyDescriptor;
  Reflect.deleteProperty(holder, member);

  return () => Object.defineProperty(holder, member, descriptor);
}

/** Puts a function in the place of another, which it is given. */
export function replace(holder: object, member: string, by: Function): () => void {
  return define(holder, member, { value: by, writable: true });
}

export function define(holder: object, member: string, descriptor: PropertyDescriptor): () => void {
  const before = Object.getOwnPropertyDescriptor(holder, member);
  Object.defineProperty(holder, member, { ...descriptor, configurable: true });

  return () => (before === undefined ? Reflect.deleteProperty(holder, member) : Object.defineProperty(holder, member, before));
}

/** What is put in the place of the method on an object has no effect, as if the package called it by another name. */
export function ignoreReplacement(holder: Open, member: string): () => void {
  const method: unknown = holder[member];

  return define(holder, member, { get: () => method, set: () => undefined });
}

/** What is put in its place gets its arguments one place later, and the method takes them from there. */
export function shiftReplacement(holder: Open, member: string, place: number): () => void {
  const method = holder[member] as Function;
  const replacements = new WeakMap<object, Function>();

  return define(holder, member, {
    get(this: object) {
      const replacement = replacements.get(this);

      return sameLength(replacement === undefined ? unshifted(method, place) : shifted(replacement, place), method);
    },
    set(this: object, replacement: Function) {
      replacements.set(this, replacement);
    },
  });
}

export function shifted(fn: Function, place: number): Function {
  return function (this: unknown, ...args: unknown[]): unknown {
    return fn.apply(this, args.toSpliced(place, 0, undefined));
  };
}

export function unshifted(fn: Function, place: number): Function {
  return function (this: unknown, ...args: unknown[]): unknown {
    return fn.apply(this, args.toSpliced(place, 1));
  };
}

function sameLength(fn: Function, like: Function): Function {
  return Object.defineProperty(fn, 'length', { value: like.length });
}
