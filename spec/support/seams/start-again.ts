import { TenantMixin, withTenants } from '@landlord/mikro-orm';
import { defineEntity, EntityManager, MikroORM, p } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { forgetSeams } from '../../../dist/orm/seams/check-seams.js';
import { forgetShapes } from '../../../dist/orm/seams/check-shapes.js';
import { replace, type Open } from './breakages.ts';

class Client extends TenantMixin {}

defineEntity({ class: Client, extends: TenantMixin, properties: {} });

export const Note = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary() } });

/** A config with tenants, for an ORM whose start is all that is looked at. */
export function startConfig(config: object = {}): never {
  return withTenants({ driver: PostgreSqlDriver, dbName: 'none', entities: [Client, Note], ...config } as never, {
    tenant: Client,
  }) as never;
}

/** Starts an ORM as if it were the first of the process, and closes it. */
export async function startAgain(): Promise<void> {
  await asFirst(async () => {
    const orm = await MikroORM.init(startConfig());
    await orm.close();
  });
}

/** Runs `fn` as if no ORM had started before in this process, and none after it. */
export async function asFirst<Result>(fn: () => Result | Promise<Result>): Promise<Result> {
  forget();

  try {
    return await fn();
  } finally {
    forget();
  }
}

/** The same, with MikroORM's code as the library does not know it. */
export async function onUnknownCode<Result>(fn: () => Result | Promise<Result>): Promise<Result> {
  const prototype: Open = EntityManager.prototype;
  const findAll: Open = prototype.findAll;
  const restore = replace(prototype, 'findAll', function (this: EntityManager, ...args: unknown[]) {
    return findAll.apply(this, args);
  });

  return restoring(restore, () => asFirst(fn));
}

/**
 * Runs `fn` with a tenth of the time that the check of the seams gives each of its probes: where one waits for what never comes, it is that time
 * that the start takes.
 */
export async function inHaste<Result>(fn: () => Promise<Result>): Promise<Result> {
  const { setTimeout: start } = globalThis;

  return restoring(
    replace(globalThis, 'setTimeout', (fired: () => void, ms?: number, ...args: []) => start(fired, (ms ?? 0) / 10, ...args)),
    fn,
  );
}

/** What it was refused with, if it was. */
export async function errorOf(work: () => unknown): Promise<unknown> {
  try {
    await work();

    return undefined;
  } catch (error) {
    return error;
  }
}

async function restoring<Result>(restore: () => void, fn: () => Promise<Result>): Promise<Result> {
  try {
    return await fn();
  } finally {
    restore();
  }
}

function forget(): void {
  forgetSeams();
  forgetShapes();
}
