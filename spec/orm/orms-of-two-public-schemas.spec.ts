import { runInPublic, runInTenant, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Book, Genre, type Library } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { initLibrary, newLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

/** What stores or removes a row of a shared table: the row has the given key and the given name, and is gone where nothing is returned. */
const WRITES: Readonly<Record<string, (em: TenantEntityManager, row: Row) => Promise<Row | undefined>>> = {
  'a new entity': async (em, row) => {
    await em.persistAndFlush(Object.assign(new Genre(), row));

    return row;
  },
  'a new entity that is changed': async (em, row) => {
    const genre = Object.assign(new Genre(), { id: row.id, name: `${row.name} before` });
    await em.persistAndFlush(genre);
    genre.name = row.name;
    await em.flush();

    return row;
  },
  'a new entity that is removed': async (em, row) => {
    const genre = Object.assign(new Genre(), row);
    await em.persistAndFlush(genre);
    await em.removeAndFlush(genre);

    return undefined;
  },
  'em.create()': async (em, row) => {
    em.create(Genre, row);
    await em.flush();

    return row;
  },
  'em.insert() of an entity': async (em, row) => {
    await em.insert(Object.assign(new Genre(), row));

    return row;
  },
  'em.insertMany() of entities': async (em, row) => {
    await em.insertMany([Object.assign(new Genre(), row)]);

    return row;
  },
  'em.upsert() of an entity': async (em, row) => {
    const genre = await em.upsert(Object.assign(new Genre(), { id: row.id, name: `${row.name} before` }));
    genre.name = row.name;
    await em.flush();

    return row;
  },
  'em.upsertMany() of entities': async (em, row) => {
    await em.upsertMany([Object.assign(new Genre(), row)]);

    return row;
  },
  'em.merge()': async (em, row) => {
    await em.insert(Genre, { id: row.id, name: `${row.name} before` });
    em.merge(Genre, { id: row.id, name: `${row.name} before`, description: '' }).name = row.name;
    await em.flush();

    return row;
  },
  'em.remove() of a reference': async (em, row) => {
    await em.insert(Genre, row);
    await em.removeAndFlush(em.getReference(Genre, row.id as never));

    return undefined;
  },
  'em.refresh()': async (em, row) => {
    await em.insert(Genre, row);
    const genre = await em.findOneOrFail(Genre, { id: row.id });
    await em
      .qb(Genre)
      .update({ name: `${row.name} after` })
      .where({ id: row.id })
      .execute();
    await em.refresh(genre);
    expect(genre.name).to.equal(`${row.name} after`);

    return { ...row, name: `${row.name} after` };
  },
  'one instance of a row': async (em, row) => {
    const genre = Object.assign(new Genre(), row);
    em.persist(genre);
    expect(await em.findOne(Genre, { id: row.id })).to.equal(genre);
    await em.flush();

    return row;
  },
};

/** Where it is done. */
const SCOPES: Readonly<
  Record<string, (orm: LibraryOrm, tenant: string, work: (em: TenantEntityManager) => Promise<void>) => Promise<void>>
> = {
  'in a tenant': (orm, tenant, work) => runInTenant(tenant, work, { orm }),
  'in the public scope': (orm, _tenant, work) => runInPublic(work, { orm }),
  'in no scope': (orm, _tenant, work) => work(orm.em.fork()),
  'in a tenant’s fork': (orm, tenant, work) => work(orm.em.fork({ schema: tenant })),
};

/** The ORMs, in the order in which they are opened: what an entity says of its class is what the last one has said. */
const ORMS = [
  { home: 'public', tenant: 'acme' },
  { home: 'central', tenant: 'carl' },
] as const;

onDatabases(
  'two ORMs with the same classes and another public schema each',
  database => {
    const orms = {} as Record<(typeof ORMS)[number]['home'], LibraryOrm>;
    let next = 100;

    before(async () => {
      orms.public = await openTwins(database, { contextName: 'public' });
      await database.query('create schema central');
      orms.central = await initLibrary(database, { publicSchema: 'central' }, { contextName: 'central' });
      await orms.central.schema.create();
      await orms.central.em.fork().persistAndFlush(newLibrary('carl', { domainUrl: 'carl.example.org' }));
    });

    for (const { home, tenant } of ORMS) {
      for (const [where, within] of Object.entries(SCOPES)) {
        for (const [name, write] of Object.entries(WRITES)) {
          it(`S6 the rows of a shared table are in the public schema of their ORM, ${home}: ${name}, ${where}`, async () => {
            const before = await rows();
            const row = { id: next++, name: `${home} ${next}`, description: '' };
            let expected: Row | undefined;
            await within(orms[home], tenant, async em => {
              expected = await write(em, row);
              expect(await em.fork().find(Genre, { id: row.id })).to.have.length(expected === undefined ? 0 : 1);
            });
            expect(await rows()).to.deep.equal({ ...before, [home]: expected === undefined ? before[home] : [...before[home], expected] });
          });
        }
      }

      it(`S6 a new shared entity is stored in the public schema of its ORM with the tenant’s entity that refers to it, ${home}`, async () => {
        const row = { id: next++, name: `${home} ${next}`, description: '' };
        // the migrations of the library name the public schema for foreign keys
        await database.query(`alter table ${tenant}.book drop constraint book_genre_id_foreign`);
        await runInTenant(
          tenant,
          async em => {
            const author = { id: 100, name: 'an author' };
            const book = em.create(Book, { id: 100, title: 'new', author, genre: Object.assign(new Genre(), row) } as never);
            await em.flush();
            const [read] = await em.fork().find(Book, { id: book.id }, { populate: ['genre'] as never });
            expect((read?.genre as unknown as Genre | undefined)?.name).to.equal(row.name);
          },
          { orm: orms[home] },
        );
        expect((await rows())[home]).to.deep.include(row);
      });

      it(`L6 tenants are created, renamed and dropped in the public schema of their ORM, ${home}`, async () => {
        const others = async (): Promise<unknown> => database.query(`select * from ${home === 'public' ? 'central' : 'public'}.library`);
        const before = await others();
        const service = tenants<Library>(orms[home]);
        await orms[home].em.fork().persistAndFlush(newLibrary(`new_${home}`));
        await service.rename(`new_${home}`, `newer_${home}`);
        await runInTenant(`newer_${home}`, async em => expect(await em.count(Book)).to.equal(0), { orm: orms[home] });
        await service.drop(`newer_${home}`);
        expect(await database.query(`select 1 from ${home}.library where schema_name like 'new%'`)).to.deep.equal([]);
        expect(await others()).to.deep.equal(before);
      });

      it(`S19 the public schema of the other ORM is not taken for the own one, ${home}`, async () => {
        const other = home === 'public' ? 'central' : 'public';
        await runInTenant(
          tenant,
          async em => {
            const genre = Object.assign(new Genre(), { id: next++, name: 'of the other' });
            await refusal(() => em.insert(Genre, { id: 1, name: 'x' }, { schema: other }), 'CROSS_TENANT');
            await refusal(() => em.insert(genre, undefined, { schema: other }), 'CROSS_TENANT');
          },
          { orm: orms[home] },
        );
      });
    }

    async function rows(): Promise<{ readonly public: Row[]; readonly central: Row[] }> {
      const of = (schema: string): Promise<Row[]> =>
        database.query<Row>(`select id, name, description from ${schema}.genre where id >= 100 order by id`);

      return { public: await of('public'), central: await of('central') };
    }
  },
  ['postgresql', 'pglite'],
);

interface Row {
  readonly id: number;
  readonly name: string;
  readonly description: string;
}
