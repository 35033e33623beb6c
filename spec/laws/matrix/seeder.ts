import type { TenantEntityManager } from '@landlord/mikro-orm';
import { Factory, SeedManager, Seeder } from '@mikro-orm/seeder';
import { Book, Tag } from '../../../fixtures/entities/index.ts';
import type { Row, Situation, Table } from './cell.ts';

/** The rows that the seeders below have read. */
let seen: unknown;

/** A seeder that reads. A seed manager and `call()` use forks with transactions of their own. */
class Reading extends Seeder {
  async run(em: TenantEntityManager): Promise<void> {
    seen = await em.find(Book, {});
  }
}

class Calling extends Seeder {
  run(em: TenantEntityManager): Promise<void> {
    return this.call(em, [Reading]);
  }
}

class TagFactory extends Factory<Tag> {
  readonly model = Tag;

  protected definition(): { id: number; name: string } {
    return { id: 120, name: 'by a factory' };
  }
}

/** A fork does not join the current transaction, so it would wait forever for the only connection of PGlite. */
const OWN_TRANSACTIONS: readonly Situation[] = ['in a transaction', 'after a nested transaction was rolled back, with another scope in it'];

export const SEED_MANAGER: Table = {
  seed: reading(em => {
    const manager = new SeedManager(em);

    return () => manager.seed(Reading);
  }),
  seedString: reading(em => {
    const manager = new SeedManager(em);

    return () => manager.seedString('Reading');
  }),
};

export const SEEDER: Table = {
  'call, what it calls': reading(em => () => new Reading().run(em)),
  call: reading(em => () => new Calling().run(em)),
};

export const FACTORY: Table = {
  createOne: made(async factory => void (await factory.createOne())),
  create: made(async factory => void (await factory.create(1))),
  makeOne: made(async (factory, em) => {
    factory.makeOne();
    await em.flush();
  }),
  make: made(async (factory, em) => {
    factory.make(1);
    await em.flush();
  }),
};

export const SEEDERS: readonly (new () => Seeder)[] = [Reading];

function reading(make: (em: TenantEntityManager) => () => Promise<void>): Row<() => Promise<void>> {
  return {
    make,
    use: async run => {
      seen = undefined;
      await run();

      return seen;
    },
    takesSchema: false,
    except: OWN_TRANSACTIONS,
  };
}

function made(use: (factory: TagFactory, em: TenantEntityManager) => Promise<void>): Row {
  return {
    make: em => ({ em, factory: new TagFactory(em) }),
    use: ({ em, factory }: { em: TenantEntityManager; factory: TagFactory }) => use(factory, em),
    writes: true,
    takesSchema: false,
  };
}
