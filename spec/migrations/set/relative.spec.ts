import { tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { refusal } from '../../support/assertions/refusal.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { migrationsFolder, newClient, openEvolving, type Entities } from '../../support/orm/evolving-orm.ts';
import { readCatalog, readReferencesOut } from '../../support/databases/schema-contents.ts';

const id = p.integer().primary();
const kind = (name: string): any => p.enum(['a', 'b']).nativeEnumName(name);

/** Each makes entities that name a table of the tenant, in every place where MikroORM gives the table or takes SQL. */
const CASES: Readonly<Record<string, (schema: '*') => Entities>> = {
  'a native enum as the key of what is referred to': schema => {
    const Perm = defineEntity({ schema, name: 'Perm', properties: { name: kind('perm_name').primary() } });
    const Role = defineEntity({
      schema,
      name: 'Role',
      properties: {
        id,
        perm: () => p.manyToOne(Perm).nullable(),
        perms: () => p.manyToMany(Perm),
        parts: () => p.manyToOne(Part).nullable(),
      },
    });
    const Part = defineEntity({ schema, name: 'Part', properties: { perm: () => p.manyToOne(Perm).primary(), nr: p.integer().primary() } });

    return [Perm, Role, Part];
  },
  'a table in a check': schema => [
    defineEntity({
      schema,
      name: 'Checked',
      properties: { id, size: p.integer() },
      checks: [
        {
          name: 'checked',
          expression: (columns: any, table: any) => `${table}.${columns.size} * 2 > 0 and "${table.schema}"."${table.name}".size < 9`,
        },
      ],
    }),
  ],
  'a table in a policy': schema => [
    defineEntity({
      schema,
      name: 'Guarded',
      properties: { id, owner: p.string() },
      policies: [
        { name: 'own', using: (columns: any, table: any) => `${columns.owner} in (select owner from ${table})` },
        {
          name: 'others',
          using: (columns: any, table: any) =>
            `exists (select 1 from "${table.schema}"."${table.name}" g where g.owner = ${columns.owner})`,
        },
      ] as any,
    }),
  ],
  'a table in a generated column': schema => [
    defineEntity({
      schema,
      name: 'Made',
      properties: {
        id,
        label: p.string(),
        upper: p
          .string()
          .generated((columns: any, table: any) => `(upper(${columns.label}) || '${table.name}') stored`)
          .nullable(),
      },
    }),
  ],
};

/** What is looked up whenever it is used. */
const REFUSED: Readonly<Record<string, (schema: '*') => Entities>> = {
  'a string in a check': schema => [
    defineEntity({
      schema,
      name: 'Checked',
      properties: { id },
      checks: [{ name: 'checked', expression: (_: any, table: any) => `to_regclass('"${table.schema}"."${table.name}"') is not null` }],
    }),
  ],
  'the schema alone': schema => [
    defineEntity({
      schema,
      name: 'Made',
      properties: {
        id,
        own: p
          .string()
          .generated((_: any, table: any) => `('${table.schema}'::text) stored`)
          .nullable(),
      },
    }),
  ],
  'the body of a trigger': schema => [
    defineEntity({
      schema,
      name: 'Fired',
      properties: { id, label: p.string().nullable() },
      triggers: [
        {
          name: 'counts',
          timing: 'before' as const,
          events: ['insert' as const],
          body: (_: any, table: any) => `NEW.label := (select count(*)::text from "${table.schema}"."other"); RETURN NEW;`,
        },
      ],
    }),
  ],
  'a wildcard by hand': schema => [
    defineEntity({ schema, name: 'Checked', properties: { id }, checks: [{ name: 'checked', expression: '"*"."checked".id > 0' }] }),
  ],
};

onDatabases(
  'names of the tenant in what is generated',
  database => {
    for (const [title, entities] of Object.entries(CASES)) {
      it(`C3, M2 ${title}`, async () => {
        const folder = await migrationsFolder();
        let orm = await openEvolving(database, folder.path, entities('*'));

        try {
          await orm.migrator.create();
          await orm.migrator.up();
          const { diff } = await tenants(orm).createMigration();
          expect(diff.up.join('\n')).to.not.match(/"\*"|placeholder/);
          await orm.em.fork().persistAndFlush([newClient('acme'), newClient('bob')]);
          expect(await readReferencesOut(database, 'bob')).to.deep.equal([]);
          expect(await readCatalog(database, 'bob')).to.deep.equal(await readCatalog(database, 'acme'));

          for (const snapshot of [true, false]) {
            await orm.close();
            orm = await openEvolving(database, folder.path, entities('*'), { options: { migrations: { snapshot } } });
            expect(await tenants(orm).needsMigration(), String(snapshot)).to.equal(false);
          }
        } finally {
          await orm.close();
          await folder.remove();
          await database.query('drop schema if exists acme cascade');
          await database.query('drop schema if exists bob cascade');
          await database.query('drop table if exists client, mikro_orm_migrations');
        }
      });
    }

    for (const [title, entities] of Object.entries(REFUSED)) {
      it(`C3, M2 refuses ${title}, and writes nothing`, async () => {
        const folder = await migrationsFolder();
        const orm = await openEvolving(database, folder.path, entities('*'));

        try {
          expect((await refusal(tenants(orm).createMigration(), 'MIGRATION_NOT_RELATIVE')).message).to.match(
            /"?\*"?.*(checked|'\*'|other)/,
          );
          expect(await readdir(join(folder.path, 'tenant'))).to.deep.equal([]);
        } finally {
          await orm.close();
          await folder.remove();
        }
      });
    }
  },
  ['pglite'],
);
