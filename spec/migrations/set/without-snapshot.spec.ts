import { tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { onDatabases } from '../../support/databases/database.ts';
import { schemaNames } from '../../support/databases/catalog.ts';
import { migrationsFolder, openEvolving, type Entities } from '../../support/orm/evolving-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';
import { migrationOf, sqlMigration, type MigrationEntry } from '../../support/orm/tenant-set.ts';
import { refusal } from '../../support/assertions/refusal.ts';

const id = p.integer().primary();
const Note = defineEntity({ schema: '*', name: 'Note', properties: { id, text: p.string() } });
const Longer = defineEntity({ schema: '*', name: 'Note', properties: { id, text: p.string(), more: p.text().nullable() } });

const BY_HAND = [
  sqlMigration('M1', `create type mood as enum ('fair')`),
  // reads, in a path of its own
  migrationOf('M2', async migration => {
    const [row] = await migration.execute('select current_schema() as name');
    migration.addSql(`create table note (id serial primary key, text varchar(255) not null)`);
    migration.addSql(`alter type mood add value 'foul'`);
    seen.push(row?.name);
  }),
  migrationOf('M3', migration => migration.addSql('create index concurrently note_index on note (text)'), { transactional: false }),
  sqlMigration('M4', ['drop index note_index', 'drop type mood']),
];
const seen: unknown[] = [];

onDatabases('a tenant set without a snapshot', database => {
  let orm: SpecOrm | undefined;
  let folder: Awaited<ReturnType<typeof migrationsFolder>>;

  beforeEach(async () => {
    folder = await migrationsFolder();
  });

  afterEach(async () => {
    await orm?.close();
    await folder.remove();
    await database.query('drop schema if exists acme cascade');
    await database.query('drop table if exists public.client, public.mikro_orm_migrations');
  });

  it('C4 a set that was written by hand is compared with what it makes, and leaves nothing of that', async () => {
    orm = await open([Note], BY_HAND);
    seen.length = 0;

    expect(await tenants(orm).needsMigration()).to.equal(false);
    expect((await tenants(orm).createMigration()).fileName).to.equal('');
    expect(seen.every(name => String(name).startsWith('landlord_'))).to.equal(true);
    expect(await schemaNames(database)).to.deep.equal([]);
    await orm.close();

    orm = await open([Longer], BY_HAND);
    expect(await tenants(orm).needsMigration()).to.equal(true);
    const { diff } = await tenants(orm).createMigration();
    expect(diff).to.deep.equal({ up: ['alter table "note" add "more" text null;'], down: ['alter table "note" drop column "more";'] });
    expect(await schemaNames(database)).to.deep.equal([]);
  });

  for (const own of [true, false]) {
    it(`C4 \`snapshot: false\` ${own ? 'of the tenant set' : 'of the config'} writes each change once, and no file beside it`, async () => {
      for (const [entities, files] of [
        [[Note], 1],
        [[Note], 1],
        [[Longer], 2],
        [[Longer], 2],
      ] as const) {
        orm = await openEvolving(database, folder.path, [...entities], {
          options: { migrations: own ? { snapshot: false } : {} },
          config: own ? {} : { migrations: { snapshot: false } },
        });

        if (files === 1) {
          await orm.migrator.create();
          await orm.migrator.up();
        }

        await tenants(orm).createMigration();
        expect(await tenants(orm).needsMigration()).to.equal(false);
        expect(await readdir(join(folder.path, 'tenant'))).to.have.length(files);
        await orm.close();
      }
    });
  }

  it('C4 a set that fails is named, with its migration, and leaves nothing', async () => {
    orm = await open([Note], [...BY_HAND, sqlMigration('N1', 'select 1 / 0')]);

    for (const work of [() => tenants(orm).createMigration(), () => tenants(orm).needsMigration()]) {
      expect(await refusal(work, 'MIGRATION_FAILED')).to.include({ migration: 'N1' });
    }

    expect(await schemaNames(database)).to.deep.equal([]);
  });

  async function open(entities: Entities, migrationsList: MigrationEntry[]): Promise<SpecOrm> {
    const opened = await openEvolving(database, folder.path, entities, { options: { migrations: { migrationsList, snapshot: false } } });
    await opened.migrator.create();
    await opened.migrator.up();

    return opened;
  }
});
