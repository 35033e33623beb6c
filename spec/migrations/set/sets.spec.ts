import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SharedRowInUseError, tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { allowDrops } from '../../../dist/migrations/set/moved-tables.js';
import { readCatalog } from '../../support/databases/schema-contents.ts';
import { onDatabases, type DatabaseKind } from '../../support/databases/database.ts';
import { newClient, migrationsFolder, openEvolving, type Entities } from '../../support/orm/evolving-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { tablesOf } from '../../support/databases/catalog.ts';

describeSets('public', ['postgresql', 'pglite']);
describeSets('commons', ['postgresql', 'pglite']);

function describeSets(publicSchema: string, kinds: readonly DatabaseKind[]): void {
  onDatabases(
    `the two migration sets with ${publicSchema}`,
    database => {
      const prefix = publicSchema === 'public' ? '' : `"${publicSchema}".`;
      let orm: SpecOrm;
      let folder: Awaited<ReturnType<typeof migrationsFolder>>;

      before(async () => {
        folder = await migrationsFolder();
        // tables that the library does not know, in a separate schema and in a tenant's
        await database.query('create schema elsewhere');
        await database.query(`create type elsewhere.mood as enum ('good')`);
        await database.query('create table elsewhere.thing (id int primary key, mood elsewhere.mood)');
        await open(entities());
        await orm.migrator.create();
        await tenants(orm).createMigration();
        await orm.migrator.up();
        await orm.em.fork().persistAndFlush([newClient('acme'), newClient('bob')]);
        await database.query('create table acme.by_hand (id int primary key)');
        await database.query('create view acme.seen_by_hand as select * from acme.by_hand');
      });

      after(() => folder.remove());

      it('M1 the public set creates shared tables alone, the tenant set tenants’ alone', async () => {
        expect(await tablesOf(database, publicSchema)).to.deep.equal(['client', 'label', 'mikro_orm_migrations', 'plan']);
        expect(await tablesOf(database, 'bob')).to.deep.equal(['label', 'mikro_orm_migrations', 'note', 'note_labels']);
      });

      it('M1 each history lists its own set alone', async () => {
        const [publicSet] = await orm.migrator.getExecuted();
        const history = await database.query<{ name: string }>('select name from acme.mikro_orm_migrations');
        const publicHistory = await database.query<{ name: string }>(`select name from ${publicSchema}.mikro_orm_migrations`);
        const status = await tenants(orm).status();

        expect(publicHistory.map(({ name }) => name)).to.deep.equal([publicSet?.name]);
        expect(history.map(({ name }) => name)).to.deep.equal(status.tenants[0]?.executed);
        expect(history).to.have.length(1);
        expect(history[0]?.name).to.not.equal(publicSet?.name);
      });

      it('M2, R5 a table or an enum of the same name in both sets is two, and each key and column means its own', async () => {
        const columns = (await readCatalog(database, 'bob')).filter(line => line.startsWith('column note.mood '));
        const shared = (await readCatalog(database, publicSchema)).filter(line => line.startsWith('column plan.mood '));
        const keys = await database.query<{ key: string }>(
          `select conrelid::regclass || ' -> ' || confrelid::regclass as key from pg_constraint where contype = 'f' and connamespace = 'bob'::regnamespace order by 1`,
        );

        expect(columns).to.deep.equal(['column note.mood mood mood true']);
        // the schema's own name is omitted, so every dependency is inside its own schema
        expect(shared).to.deep.equal(['column plan.mood mood mood true']);
        expect(keys.map(({ key }) => key.replaceAll('commons.', ''))).to.deep.equal([
          'bob.label -> label',
          'bob.note -> plan',
          'bob.note_labels -> bob.label',
          'bob.note_labels -> bob.note',
        ]);
      });

      it('M2 writing the tenant set, or asking whether it has to be, sends no statement', async () => {
        database.statements.length = 0;
        await tenants(orm).createMigration();
        await tenants(orm).needsMigration();

        expect(database.statements).to.deep.equal([]);
      });

      it('M2 says so where nothing has changed, in either set', async () => {
        expect((await orm.migrator.create()).fileName).to.equal('');
        expect((await tenants(orm).createMigration()).fileName).to.equal('');
        expect(await orm.migrator.checkSchema()).to.equal(false);
        expect(await tenants(orm).needsMigration()).to.equal(false);
      });

      it('M1 without a snapshot the public set still sees nothing of the tenants, nor of schemas it does not know', async () => {
        await rm(join(folder.path, 'public/.snapshot.json'));
        await open(entities());

        expect(await orm.migrator.checkSchema()).to.equal(false);
        expect((await orm.migrator.create()).diff).to.deep.equal({ up: [], down: [] });
      });

      it('M24 without a snapshot the public set reads its own schemas, however many tenants there are', async () => {
        await rm(join(folder.path, 'public/.snapshot.json'), { force: true });
        await open(entities());
        database.statements.length = 0;
        expect(await orm.migrator.checkSchema()).to.equal(false);
        const lists = database.statements.filter(sql => /from \(select .*(information_schema\.(tables|views) |pg_matviews)/s.test(sql));

        expect(database.statements.filter(sql => /acme|bob|elsewhere/.test(sql))).to.deep.equal([]);
        expect(lists.length).to.be.at.least(3);
        expect(lists.filter(sql => !sql.includes(`schema_name in ('${publicSchema}'`))).to.deep.equal([]);
      });

      it('M1 a shared table of the same name as a tenants’ one is the public set’s, with and without a snapshot', async () => {
        await open([...entities(), defineEntity({ name: 'SharedNote', tableName: 'note', properties: { id: p.integer().primary() } })]);
        const withoutSnapshot = await orm.migrator.create();
        await rm(join(folder.path, 'public', withoutSnapshot.fileName));
        const again = await orm.migrator.create();

        expect(withoutSnapshot.diff.up).to.deep.equal([`create table ${prefix}"note" ("id" serial primary key);`]);
        expect(withoutSnapshot.diff.down).to.deep.equal([`drop table if exists ${prefix}"note" cascade;`]);
        expect(again.fileName).to.equal('');
        expect(await tenants(orm).needsMigration()).to.equal(false);

        await open(entities());
        const removed = await allowDrops(() => orm.migrator.create());
        await rm(join(folder.path, 'public', removed.fileName));
        expect(removed.diff.up).to.deep.equal([`drop table if exists ${prefix}"note" cascade;`]);
      });

      it('M1 the public set holds no tenant table though `includeWildcardSchema` is asked for', async () => {
        await rm(join(folder.path, 'public/.snapshot.json'));
        await open(entities(), { includeWildcardSchema: true });

        expect((await orm.migrator.create()).diff).to.deep.equal({ up: [], down: [] });
        await open(entities());
      });

      it('M1 `orm.schema` leaves the tenants’ schemas alone', async () => {
        const before = [await readCatalog(database, 'acme'), await readCatalog(database, 'elsewhere')];
        const update = await orm.schema.getUpdateSchemaSQL({ wrap: false });
        const named = await orm.schema.getUpdateSchemaSQL({ schema: publicSchema, wrap: false });
        const drop = await orm.schema.getDropSchemaSQL({ wrap: false });
        const dropNamed = await orm.schema.getDropSchemaSQL({ schema: publicSchema, wrap: false });
        const create = await orm.schema.getCreateSchemaSQL({ wrap: false });

        expect([update.trim(), named.trim()]).to.deep.equal(['', '']);
        expect(`${drop}${dropNamed}${create}`).to.not.match(/acme|bob|elsewhere|"note|"public"\."mood/);
        await orm.schema.update();
        expect([await readCatalog(database, 'acme'), await readCatalog(database, 'elsewhere')]).to.deep.equal(before);
      });

      it('M1 the update of one named schema keeps its history, and leaves the neighbour alone', async () => {
        const update = await orm.schema.getUpdateSchemaSQL({ schema: 'bob', wrap: false });

        expect(update).to.not.match(/acme|elsewhere|mikro_orm_migrations/);
      });

      it('M1 `snapshotOnMigrate` does not pull tenants into the public snapshot', async () => {
        await open(entities(), { snapshotOnMigrate: true });
        await orm.migrator.create('./public', true);
        await orm.migrator.up();
        const snapshot = JSON.parse(await readFile(join(folder.path, 'public/.snapshot.json'), 'utf8')) as { namespaces: string[] };

        expect(snapshot.namespaces).to.deep.equal([publicSchema]);
        expect((await orm.migrator.create()).fileName).to.equal('');
      });

      it('M1, N2 `orm.schema.clear()` empties no table of a tenant, though it refers to a shared one', async () => {
        await database.query(`insert into ${publicSchema}.plan (id, kind, mood) values (1, 'free', 'calm')`);
        await database.query(`insert into acme.note (mood, plan_id) values ('good', 1)`);
        await database.query(`insert into ${publicSchema}.label (id, text) values (1, 'shared')`);

        expect(await failureOf(orm.schema.clear())).to.be.instanceOf(SharedRowInUseError);
        expect(await failureOf(orm.schema.clear({ schema: publicSchema }))).to.be.instanceOf(SharedRowInUseError);
        expect(await database.query('select plan_id from acme.note')).to.deep.equal([{ plan_id: 1 }]);

        await database.query('delete from acme.note');
        await orm.schema.clear();
        expect(await database.query(`select 1 from ${publicSchema}.label union all select 1 from ${publicSchema}.plan`)).to.deep.equal([]);
      });

      async function open(changed: Entities, migrations: Record<string, unknown> = {}): Promise<void> {
        await orm?.close();
        orm = await openEvolving(database, folder.path, changed, { config: { migrations }, options: { publicSchema } });
      }
    },
    kinds,
  );
}

function entities(): Entities {
  const Plan = defineEntity({
    name: 'Plan',
    properties: {
      id: p.integer().primary(),
      kind: p.enum(['free', 'paid']).nativeEnumName('plan_kind'),
      mood: p.enum(['calm']).nativeEnumName('mood'),
    },
  });
  const SharedLabel = defineEntity({
    name: 'SharedLabel',
    tableName: 'label',
    properties: { id: p.integer().primary(), text: p.string() },
  });
  const Label = defineEntity({
    schema: '*',
    name: 'Label',
    properties: { id: p.integer().primary(), shared: () => p.manyToOne(SharedLabel).nullable() },
  });
  const Note = defineEntity({
    schema: '*',
    name: 'Note',
    properties: {
      id: p.integer().primary(),
      mood: p.enum(['good', 'bad']).nativeEnumName('mood'),
      plan: () => p.manyToOne(Plan),
      labels: () => p.manyToMany(Label),
    },
  });

  return [Plan, SharedLabel, Label, Note];
}
