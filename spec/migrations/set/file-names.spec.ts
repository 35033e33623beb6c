import { tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { onDatabases } from '../../support/databases/database.ts';
import { migrationsFolder, newClient, openEvolving } from '../../support/orm/evolving-orm.ts';
import { schemasWith } from '../../support/databases/catalog.ts';

onDatabases('migrations that are created within a second', database => {
  let folder: Awaited<ReturnType<typeof migrationsFolder>>;

  before(async () => {
    folder = await migrationsFolder();
  });

  after(() => folder.remove());

  it('M2 each have a file and a name of their own, and all run in the order in which they were created', async () => {
    const names: string[] = [];

    for (const columns of [0, 1, 2, 3]) {
      const orm = await open(columns);
      names.push((await tenants(orm).createMigration()).fileName);
      await orm.close();
    }

    const orm = await open(3);
    names.push((await tenants(orm).createMigration({ blank: true })).fileName);
    expect(new Set(names).size, names.join()).to.equal(5);
    expect((await readdir(join(folder.path, 'tenant'))).filter(file => file.startsWith('Migration'))).to.deep.equal(names);
    await orm.migrator.create();
    await orm.migrator.up();
    await orm.em.fork().persistAndFlush(newClient('acme'));
    expect(await schemasWith(database, 'note', 'c3')).to.deep.equal(['acme']);
    const [status] = (await tenants(orm).status()).tenants;
    expect(status?.executed).to.deep.equal(names.map(name => name.replace('.ts', '')));
    await orm.close();
  });

  function open(columns: number): ReturnType<typeof openEvolving> {
    const properties = Object.fromEntries(Array.from({ length: columns }, (_, nr) => [`c${nr + 1}`, p.string().nullable()]));
    const Note = defineEntity({ schema: '*', name: 'Note', properties: { id: p.integer().primary(), ...properties } });

    return openEvolving(database, folder.path, [Note], { config: { migrations: STOCK_NAMES } });
  }
});

const STOCK_NAMES = { fileName: (timestamp: string, name?: string) => `Migration${timestamp}${name === undefined ? '' : `_${name}`}` };
