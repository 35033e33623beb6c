import { readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../../support/databases/database.ts';
import { migrationsFolder, openEvolving, type Entities } from '../../support/orm/evolving-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';
import { refusal } from '../../support/assertions/refusal.ts';

const id = p.integer().primary();
const Note = defineEntity({ schema: '*', name: 'Note', properties: { id, text: p.string() } });
const Longer = defineEntity({ schema: '*', name: 'Note', properties: { id, text: p.string(), more: p.text().nullable() } });
const Plan = defineEntity({ name: 'Plan', properties: { id, name: p.string() } });
const Priced = defineEntity({ name: 'Plan', properties: { id, name: p.string(), price: p.integer().nullable() } });

onDatabases(
  'the names of snapshots',
  database => {
    let orm: SpecOrm | undefined;
    let folder: Awaited<ReturnType<typeof migrationsFolder>>;

    beforeEach(async () => {
      folder = await migrationsFolder();
      await open([Note, Plan]);
    });

    afterEach(async () => {
      await orm?.close();
      await folder.remove();
    });

    it('M18, M25 both sets have a snapshot whose name is the same for every database', async () => {
      expect(await snapshots('tenant')).to.deep.equal(['.snapshot.json']);
      expect(await snapshots('public')).to.deep.equal(['.snapshot.json']);
    });

    for (const [title, name] of [
      ['of this database', () => String(orm?.config.get('dbName'))],
      ['of another database, if it is the only one', () => 'hops_main'],
    ] as const) {
      it(`M18, M25 a snapshot that has the name ${title} goes on being used, and the tenants’ is renamed by the next create`, async () => {
        const old = `.snapshot-${name()}.json`;

        for (const set of ['tenant', 'public']) {
          await rename(join(folder.path, set, '.snapshot.json'), join(folder.path, set, old));
        }

        await open([Note, Plan]);
        expect(await tenants(orm).needsMigration()).to.equal(false);
        expect(await orm?.migrator.checkSchema()).to.equal(false);
        expect((await tenants(orm).createMigration()).fileName).to.equal('');
        expect(await snapshots('tenant')).to.deep.equal([old]);

        await open([Longer, Priced]);
        expect((await tenants(orm).createMigration()).diff.up).to.deep.equal(['alter table "note" add "more" text null;']);
        expect((await orm?.migrator.create())?.diff.up).to.deep.equal(['alter table "plan" add "price" int null;']);
        expect(await snapshots('tenant')).to.deep.equal(['.snapshot.json']);
        expect(await snapshots('public')).to.deep.equal([old]);

        await open([Longer, Priced]);
        expect(await tenants(orm).needsMigration()).to.equal(false);
        expect(await orm?.migrator.checkSchema()).to.equal(false);
      });
    }

    it('M18, M25 several of which none is the right one for certain are refused', async () => {
      await rename(join(folder.path, 'tenant/.snapshot.json'), join(folder.path, 'tenant/.snapshot-a.json'));
      await writeFile(join(folder.path, 'tenant/.snapshot-b.json'), '{}');
      await open([Longer, Plan]);

      for (const work of [() => tenants(orm).createMigration(), () => tenants(orm).needsMigration()]) {
        expect((await refusal(work, 'MIGRATION_SNAPSHOTS')).message).to.contain('.snapshot-a.json, .snapshot-b.json');
      }

      expect(await snapshots('tenant')).to.deep.equal(['.snapshot-a.json', '.snapshot-b.json']);
    });

    async function snapshots(set: string): Promise<string[]> {
      return (await readdir(join(folder.path, set))).filter(name => name.startsWith('.snapshot')).toSorted();
    }

    async function open(entities: Entities): Promise<void> {
      const isFirst = orm === undefined || !(await readdir(folder.path)).includes('public');
      await orm?.close();
      orm = await openEvolving(database, folder.path, entities, {
        options: { migrations: { snapshotName: undefined } as object },
        config: { migrations: { snapshotName: undefined } as object },
      });

      if (isFirst) {
        await orm.migrator.create();
        await tenants(orm).createMigration();
      }
    }
  },
  ['postgresql'],
);
