import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { ref, type EventSubscriber } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { refusal } from '../support/assertions/refusal.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';
import { everyRow, Imprint, openWriters, Volume, Writer } from '../support/orm/writers.ts';

/** Where in an entity another one may be that is stored with it. */
const PLACES: Readonly<Record<string, (volume: Volume, writer: Writer) => unknown>> = {
  'a relation': (volume, writer) => (volume.writer = writer),
  'a reference': (volume, writer) => (volume.translator = ref(writer)),
  'an embeddable': (volume, writer) => (volume.imprint = Object.assign(new Imprint(), { editor: writer })),
  'a list of embeddables': (volume, writer) => (volume.notes = [new Imprint(), Object.assign(new Imprint(), { editor: writer })]),
  JSON: (volume, writer) => (volume.extra = { by: writer }),
};

const UPSERTS: Readonly<Record<string, (em: TenantEntityManager, made: () => Volume, options?: Named) => Promise<unknown>>> = {
  'em.upsert()': (em, made, options) => em.upsert(made(), undefined, options),
  'em.upsert() by name': (em, made, options) => em.upsert(Volume, made(), options),
  'em.upsertMany()': (em, made, options) => em.upsertMany([made(), made()], undefined, options),
  'em.upsertMany() by name': (em, made, options) => em.upsertMany(Volume, [made()], options),
  'repository.upsert()': (em, made, options) => em.getRepository(Volume).upsert(made(), options),
};

/** MikroORM gives a hook the data itself. */
const OF_DATA: typeof UPSERTS = {
  'em.upsert() of data': (em, made, options) => em.upsert(Volume, dataOf(made()), options),
  'em.upsertMany() of data': (em, made, options) => em.upsertMany(Volume, [dataOf(made()), dataOf(made())], options),
};

const dataOf = ({ id, title, writer }: Volume): { id: number; title: string; writer: Writer } => ({ id, title, writer });

interface Named {
  readonly schema: string;
}

onDatabases('entities that are changed while they are upserted', database => {
  let orm: SpecOrm;
  let untouched: unknown;
  let change: ((volume: Volume) => void) | undefined;
  let latest = 100;

  const madeFor =
    (em: TenantEntityManager, options: Named | undefined, title = 'new') =>
    (): Volume =>
      Object.assign(new Volume(), { id: (latest += 1), title, writer: em.getReference(Writer, 1, { ...options }) });
  const theirsIn = (schemaName: string): Promise<Writer> => runInTenant(schemaName, em => em.findOneOrFail(Writer, 2), { orm });
  const places: Readonly<Record<string, (run: (em: TenantEntityManager, options?: Named) => Promise<unknown>) => Promise<unknown>>> = {
    'the scope': run => runInTenant('acme', em => run(em), { orm }),
    'a fork of the tenant': run => run(orm.em.fork({ schema: 'acme' })),
    'a fork of none': run => run(orm.em.fork(), { schema: 'acme' }),
  };

  before(async () => {
    const subscriber: EventSubscriber = {
      beforeUpsert: ({ entity, meta }) => {
        if (meta.class === Volume) {
          change?.(entity as Volume);
        }
      },
    };
    orm = await openWriters(database);
    orm.em.getEventManager().registerSubscriber(subscriber);
    untouched = await everyRow(database);
  });

  afterEach(() => {
    change = undefined;
  });

  for (const [name, upsert] of Object.entries({ ...UPSERTS, ...OF_DATA })) {
    it(`law 2: another tenant’s entity that a hook sets is not stored by ${name}`, async () => {
      const theirs = await theirsIn('bob');

      for (const [place, set] of Object.entries(PLACES)) {
        for (const [where, enter] of Object.entries(places)) {
          change = volume => set(volume, theirs);
          const error = await refusal(
            enter((em, options) => upsert(em, madeFor(em, options), options)),
            'CROSS_TENANT',
            `${place} in ${where}`,
          );
          expect(error).to.deep.include({ schemaNames: ['acme', 'bob'] });
        }
      }

      expect(await everyRow(database)).to.deep.equal(untouched);
    });
  }

  it('law 2: another tenant’s entity that a property begins with is not stored', async () => {
    const theirs = await theirsIn('bob');
    const { extra } = orm.getMetadata().get(Volume).properties;
    extra.onCreate = () => ({ by: theirs }) as never;

    try {
      for (const [name, upsert] of Object.entries(UPSERTS)) {
        for (const [where, enter] of Object.entries(places)) {
          await refusal(
            enter((em, options) => upsert(em, madeFor(em, options), options)),
            'CROSS_TENANT',
            `${name} in ${where}`,
          );
        }
      }
    } finally {
      delete (extra as { onCreate?: unknown }).onCreate;
    }

    expect(await everyRow(database)).to.deep.equal(untouched);
  });

  it('law 2: two upserts at once are each looked at alone', async () => {
    const theirs = await theirsIn('bob');
    const stored = await runInTenant(
      'acme',
      async em => {
        change = volume => volume.title === 'wrong' && (volume.writer = theirs);
        const outcomes = ['wrong', 'right'].map(title => em.upsert(madeFor(em, undefined, title)()));
        await refusal(outcomes[0]!, 'CROSS_TENANT');

        return (await outcomes[1]!).id;
      },
      { orm },
    );
    expect(await database.query('select id from acme.volume where id > 100')).to.deep.equal([{ id: stored }]);
    await database.query('delete from acme.volume where id > 100');
  });

  it('G4 the tenant’s own entity that a hook sets is stored', async () => {
    const writer = await theirsIn('acme');

    for (const [name, upsert] of Object.entries({ ...UPSERTS, ...OF_DATA })) {
      change = volume => (volume.writer = writer);
      await runInTenant('acme', em => upsert(em, madeFor(em, undefined)), { orm });
      const rows = await database.query<{ writer_id: number }>('delete from acme.volume where id > 100 returning writer_id');
      expect(rows.length > 0 && rows.every(row => row.writer_id === 2), name).to.equal(true);
    }
  });
});
