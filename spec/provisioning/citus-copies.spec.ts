import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  acrossTenants,
  runInTenant,
  tenants,
  type CloneError,
  type MoveError,
  type NewTenant,
  type TenantService,
} from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author, Book, Genre, Tag, type Library } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { schemaNames } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { localTables, openCitusLibrary, type CitusLibrary } from '../support/orm/citus-library.ts';
import { newLibrary } from '../support/orm/library-orm.ts';

for (const withRoles of [false, true]) {
  onDatabases(
    `copies of tenants on Citus as an ordinary user, ${withRoles ? 'with' : 'without'} roles`,
    database => {
      let library: CitusLibrary;
      let folder: string;

      const service = (): TenantService<Library> => tenants<Library>(library.orm);
      const write = (name: string, title: string): Promise<unknown> =>
        runInTenant(
          name,
          em =>
            em.persistAndFlush(
              em.create(Book, {
                title,
                author: em.create(Author, { name: `author of ${title}` }),
                genre: em.getReference(Genre, 1),
              } as never),
            ),
          { orm: library.orm },
        );
      const titles = (name: string): Promise<string[]> =>
        runInTenant(name, async em => (await em.find(Book, {}, { orderBy: { id: 1 } })).map(({ title }) => title), { orm: library.orm });
      const nodeOf = async (name: string): Promise<string | undefined> =>
        (await service().placement()).find(({ schemaName, isSharded }) => isSharded && schemaName === name)?.node;

      before(async () => {
        folder = await mkdtemp(join(tmpdir(), 'landlord-citus-'));
        library = await openCitusLibrary(database, { withRoles });
        await write('acme', 'acme 1');
        await write('acme', 'acme 2');
        await write('bob', 'bob 1');
      });

      after(async () => {
        await library.close();
        await rm(folder, { recursive: true });
      });

      it('L1 X1 a clone is a sharded tenant with the same rows, and neither sees what the other writes', async () => {
        await service().clone('acme', libraryOf('carl'));
        await service().clone('acme', libraryOf('empty'), { data: 'none' });
        await write('carl', 'carl 3');
        await write('acme', 'acme 3');

        expect([await titles('carl'), await titles('acme'), await titles('empty')]).to.deep.equal([
          ['acme 1', 'acme 2', 'carl 3'],
          ['acme 1', 'acme 2', 'acme 3'],
          [],
        ]);
        expect(await nodeOf('carl')).to.match(/:\d+$/);
        expect(await localTables(database)).to.deep.equal([]);
        expect((await service().drift()).drifted).to.deep.equal([]);
      });

      it('L1 X1 what Citus cannot make is refused with the statement, and nothing is stored', async () => {
        const setStatistics = (target: number): Promise<unknown> =>
          // as it may be in a tenant that was made before Citus
          database.query(`update pg_attribute set attstattarget = ${target} where attrelid = 'bob.author'::regclass and attname = 'name'`);
        await setStatistics(300);
        const error = (await refusal(() => service().clone('bob', libraryOf('dora')), 'CLONE_REFUSED')) as CloneError;

        expect(error.message).to.include('set statistics 300').and.include('Citus');
        expect(await schemaNames(database)).to.not.include('dora');
        await setStatistics(-1);
      });

      it('L2 X1 a tenant that is read back from a file has its rows, on a node', async () => {
        const path = join(folder, 'bob');
        await service().export('bob', createWriteStream(path));
        await service().import(path, libraryOf('dora'), { migrate: false });
        await write('dora', 'dora 2');
        await service().export('bob', createWriteStream(join(folder, 'json')), { format: 'json' });

        expect([await titles('dora'), await titles('bob')]).to.deep.equal([['bob 1', 'dora 2'], ['bob 1']]);
        expect(JSON.parse(await readFile(join(folder, 'json'), 'utf8')).tables.book).to.have.length(1);
        expect(await nodeOf('dora')).to.match(/:\d+$/);
        expect(await localTables(database)).to.deep.equal([]);
      });

      it('L3 X1 a tenant is deleted softly, restored on its node, and dropped for good', async () => {
        const node = await nodeOf('dora');
        await service().drop('dora', { soft: true });
        expect((await service().listDeleted()).map(({ schemaName }) => schemaName)).to.deep.equal(['dora']);
        await service().restore('dora', { schemaName: 'dolly', domainUrl: 'dolly.example.com' });
        expect([await titles('dolly'), await nodeOf('dolly')]).to.deep.equal([['bob 1', 'dora 2'], node]);
        await service().drop('dolly', { soft: true });
        expect((await service().purge()).failed).to.deep.equal([]);
        const left = await database.query(
          `select 1 from pg_dist_schema s join pg_namespace n on n.oid = s.schemaid where n.nspname ~ 'dora|dolly|deleted'`,
        );

        expect(left).to.deep.equal([]);
        expect(await titles('bob')).to.deep.equal(['bob 1']);
      });

      it('L7 X1 a report reads all tenants, whatever nodes they are on, and tells whose each row is', async () => {
        const rows = await acrossTenants(Book, { where: { title: { $like: '% 1' } } }, { reason: 'count', orm: library.orm }).toArray();

        expect(rows.map(({ tenant, row }) => [tenant, row.title])).to.have.deep.members([
          ['acme', 'acme 1'],
          ['carl', 'acme 1'],
          ['bob', 'bob 1'],
        ]);
      });

      it('L12 X1 what a tenant takes is read from its node', async () => {
        await runInTenant('bob', em => em.execute(`insert into author (name) select repeat('x', 200) from generate_series(1, 2000)`), {
          orm: library.orm,
        });
        await database.query('analyze bob.author');
        const { tenants: found } = await service().usage({ exact: true });
        const [bob, empty] = ['bob', 'empty'].map(name => found.find(({ schemaName }) => schemaName === name));

        expect(bob?.rows).to.be.within(1_900, 2_100);
        expect(bob?.bytes).to.be.above((empty?.bytes ?? 0) + 400_000);
        expect((await service().usage()).tenants[0]).to.include({ schemaName: 'bob' });
      });

      it('L5 X1 the doctor sets the sequence that gives the next key, which is not that of the node', async () => {
        await runInTenant('bob', em => em.execute(`insert into tag (id, name) values (1, 'one'), (2, 'two')`), { orm: library.orm });
        const { findings, mended } = await service().doctor({ deep: true, fix: true });
        expect([findings.map(({ kind, object }) => [kind, object]), mended.length]).to.deep.equal([[['sequence-behind', 'tag_id_seq']], 1]);
        await runInTenant('bob', em => em.execute(`insert into tag (name) values ('three')`), { orm: library.orm });

        expect(await runInTenant('bob', em => em.count(Tag), { orm: library.orm })).to.equal(3);
      });

      it('L5 X1 the doctor finds a table that was made on the coordinator alone, and nothing else', async () => {
        const quiet = await service().doctor({ deep: true });
        expect(quiet.findings).to.deep.equal([]);
        await library.orm.em.fork().execute('do $$ begin create table bob.hidden (id int); end $$');
        const { findings } = await service().doctor();
        await library.orm.em.fork().execute('drop table bob.hidden');

        expect(findings.map(({ kind, schemaName, object }) => [kind, schemaName, object])).to.deep.equal([
          ['table-local', 'bob', 'hidden'],
        ]);
      });

      it('L4 X1 a sharded schema that is what the set makes is adopted, with its rows', async () => {
        const em = library.orm.em.fork();
        await em.transactional(async tx => {
          await tx.execute('set local citus.enable_schema_based_sharding to on');
          await tx.execute('create schema erin');
          await tx.execute('set local citus.enable_schema_based_sharding to off');
          await tx.execute('set local search_path to erin');

          for (const entry of library.list) {
            const migration = new entry.class(library.orm.em.getDriver(), library.orm.config);
            await migration.up();

            for (const query of migration.getQueries()) {
              await tx.execute(query);
            }
          }
        });
        await em.execute(`insert into erin.author (name) values ('Erin')`);
        await service().adopt(libraryOf('erin'));

        expect(await nodeOf('erin')).to.match(/:\d+$/);
        expect(
          await runInTenant('erin', async tx => (await tx.find(Author, {})).map(({ name }) => name), { orm: library.orm }),
        ).to.deep.equal(['Erin']);
      });

      it('L4 X1 rows of public tables become a sharded tenant’s, and a trigger, which Citus cannot disable, is refused', async () => {
        const em = library.orm.em.fork();
        await em.execute('create table public.author (id int primary key, name varchar(255) not null, library_id int)');
        await em.execute(
          `create table public.book (id int primary key, title varchar(255) not null, author_id int not null references public.author (id), genre_id int, sequel_of_id int, copies int, format text)`,
        );
        await em.execute(`insert into public.author values (1, 'Old', 1), (2, 'Other', 2)`);
        await em.execute(
          `insert into public.book values (1, 'Old book', 1, 1, null, 1, 'print'), (2, 'Next', 1, 1, 1, 1, 'print'), (3, 'Other', 2, 1, null, 1, 'print')`,
        );
        await em.persistAndFlush(newLibrary('fred', { autoCreateSchema: false }));
        const report = await service().extract('fred', { column: 'library_id', value: '1', without: ['library_id'] });

        expect(report.tables.map(({ table, rows }) => [table, rows])).to.deep.equal([
          ['author', 1],
          ['book', 2],
        ]);
        expect(await titles('fred')).to.deep.equal(['Old book', 'Next']);
        expect(await em.execute('select id from public.book')).to.deep.equal([{ id: 3 }]);
        await write('fred', 'fred 3');
        expect(await titles('fred')).to.have.length(3);

        await em.persistAndFlush(newLibrary('greta'));
        await em.transactional(async tx => {
          await tx.execute('set local citus.enable_unsafe_triggers to on');
          await tx.execute(`create function greta.touch() returns trigger language plpgsql as 'begin return new; end'`);
          await tx.execute('create trigger touched before insert on greta.author for each row execute function greta.touch()');
        });
        const error = (await refusal(
          () => service().extract('greta', { column: 'library_id', value: '2', without: ['library_id'] }),
          'EXTRACT_REFUSED',
        )) as MoveError;
        expect(error.message).to.include('triggers cannot be disabled').and.include('shardTenants');
        expect(await titles('greta')).to.deep.equal([]);
        expect(await em.execute('select id from public.book')).to.deep.equal([{ id: 3 }]);
        await em.execute('drop table public.book, public.author');
      });
    },
    ['citus'],
  );
}

function libraryOf(name: string): NewTenant<Library> {
  return { name, schemaName: name, domainUrl: `${name}.example.com` };
}
