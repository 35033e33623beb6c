import { tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { allowDrops } from '../../../dist/migrations/set/moved-tables.js';
import { refusal } from '../../support/assertions/refusal.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { readCatalog, readReferencesOut } from '../../support/databases/schema-contents.ts';
import { migrationsFolder, newClient, openEvolving, type Entities } from '../../support/orm/evolving-orm.ts';

const id = p.integer().primary();

/** A book and where it stands, which is the tenant's or shared. */
function entities(genre: '*' | undefined, target: 'Genre' | 'Shelf'): Entities {
  const Genre = defineEntity({ ...(genre === undefined ? {} : { schema: genre }), name: 'Genre', properties: { id, name: p.string() } });
  const Shelf = defineEntity({ schema: '*', name: 'Shelf', properties: { id } });
  const Book = defineEntity({
    schema: '*',
    name: 'Book',
    properties: { id, place: () => p.manyToOne(target === 'Genre' ? Genre : Shelf) },
  });

  return [Genre, Shelf, Book];
}

interface Move {
  readonly from: Entities;
  readonly to: Entities;
  /** Whether the tenant set refers to what the public set has dropped, which its refusal says. */
  readonly endsCreation?: boolean;
  /** The sets whose migration drops rows, and is refused. */
  readonly refused?: readonly ('public' | 'tenant')[];
}

const MOVES: Readonly<Record<string, Move>> = {
  'a shared entity that becomes the tenants’ own': {
    from: entities(undefined, 'Genre'),
    to: entities('*', 'Genre'),
    refused: ['public'],
    endsCreation: true,
  },
  'an entity of the tenants that becomes shared': { from: entities('*', 'Genre'), to: entities(undefined, 'Genre'), refused: ['tenant'] },
  'a foreign key with another target': { from: entities('*', 'Genre'), to: entities('*', 'Shelf') },
  'a foreign key with another target, whose former is dropped': {
    from: entities('*', 'Genre'),
    to: entities('*', 'Shelf').slice(1),
  },
  'a foreign key with another target, whose former is shared': {
    from: entities('*', 'Genre'),
    to: entities(undefined, 'Shelf'),
    refused: ['tenant'],
  },
  'a foreign key with a target of the tenant, whose former was shared': {
    from: entities(undefined, 'Genre'),
    to: entities(undefined, 'Shelf'),
  },
};

onDatabases(
  'entities that move',
  database => {
    for (const [title, { from, to, refused = [], endsCreation = false }] of Object.entries(MOVES)) {
      it(`M31 ${title}: what it would drop is said, and what is generated runs`, async () => {
        const folder = await migrationsFolder();

        try {
          let orm = await openEvolving(database, folder.path, from);
          await orm.migrator.create();
          await orm.migrator.up();
          await tenants(orm).createMigration();
          await orm.em.fork().persistAndFlush([newClient('acme'), newClient('bob')]);
          const before = await readCatalog(database, 'acme');
          await orm.close();

          orm = await openEvolving(database, folder.path, to);

          for (const [set, work] of [
            ['public', () => orm.migrator.create()],
            ['tenant', () => tenants(orm).createMigration()],
          ] as const) {
            const files = await readdir(join(folder.path, set));

            if (refused.includes(set)) {
              expect((await refusal(work, 'MIGRATION_DROPS_ROWS')).message).to.contain('"genre"');
              expect(await readdir(join(folder.path, set))).to.deep.equal(files);
            }
          }

          expect(await tenants(orm).needsMigration()).to.equal(true);
          await allowDrops(() => orm.migrator.create());
          await tenants(orm).createMigration({ dropMoved: true });
          await orm.migrator.up();
          expect((await tenants(orm).migrate()).failed).to.deep.equal([]);

          if (endsCreation) {
            await orm.migrator.down();
          } else {
            await orm.em.fork().persistAndFlush(newClient('carl'));
            expect(await readCatalog(database, 'acme')).to.deep.equal(await readCatalog(database, 'carl'));
            expect(await outOf('acme')).to.deep.equal(await outOf('carl'));
            await tenants(orm).drop('carl');
          }

          expect((await tenants(orm).migrate({ direction: 'down' })).failed).to.deep.equal([]);
          expect(await readCatalog(database, 'acme')).to.deep.equal(before);
          await orm.close();
        } finally {
          await folder.remove();

          for (const name of ['acme', 'bob', 'carl', 'public']) {
            await database.query(`drop schema if exists ${name} cascade`);
          }

          await database.query('create schema public');
        }
      });
    }

    async function outOf(schemaName: string): Promise<string[]> {
      return (await readReferencesOut(database, schemaName)).map(line => line.replaceAll(`${schemaName}.`, ''));
    }
  },
  ['postgresql', 'pglite'],
);
