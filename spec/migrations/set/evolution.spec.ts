import { tenants } from '@landlord/mikro-orm';
import type { MikroORM } from '@mikro-orm/core';
import { expect } from 'chai';
import { readCatalog, readReferencesOut } from '../../support/databases/schema-contents.ts';
import { createDatabase, onDatabases } from '../../support/databases/database.ts';
import { newClient, migrationsFolder, openEvolving, openPlain, type EntityFactory } from '../../support/orm/evolving-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';
import { EVOLUTIONS } from './evolutions.ts';

onDatabases(
  'generating the tenant set',
  database => {
    const withoutSnapshot = EVOLUTIONS.filter(({ introspects = false }) => introspects).map(each => ({ ...each, snapshot: false }));

    for (const each of [...EVOLUTIONS.map(evolution => ({ ...evolution, snapshot: true })), ...withoutSnapshot]) {
      const { title, steps, shared = [], publicSchema = 'public', keeps = 0, leaves, neverSettles = false, snapshot } = each;

      it(`M2 ${title}${snapshot ? '' : ', without a snapshot'}`, async () => {
        const folder = await migrationsFolder();
        const own = await createDatabase(title);
        const plain = await createDatabase(`plain ${title}`);
        const ownOptions = { ...database.options(), clientUrl: own.url };
        const plainOptions = { ...database.options(), clientUrl: plain.url };
        let failed = true;

        try {
          const expected: string[][] = [];

          for (const factory of steps) {
            await using orm = await disposable(openPlain({ ...database, options: () => plainOptions }, folder.path, factory({})));
            await orm.value.migrator.create();
            await orm.value.migrator.up();
            expected.push(await readCatalog(plain, 'public', { without: shared }));
          }

          for (const [step, factory] of steps.entries()) {
            await using orm = await disposable(evolve(factory));
            const migrator = orm.value.migrator;
            await migrator.create();
            await migrator.up();

            if (step === 0) {
              await orm.value.em.fork().persistAndFlush([newClient('acme'), newClient('bob')]);
            }

            const before = await readCatalog(own, publicSchema);
            expect((await tenants(orm.value).createMigration()).fileName, 'what is written').to.not.equal('');
            expect((await tenants(orm.value).migrate()).failed).to.deep.equal([]);
            await expectTenants(expected[step] ?? []);
            expect(await readCatalog(own, publicSchema)).to.deep.equal(before);

            if (!neverSettles) {
              expect(await tenants(orm.value).needsMigration(), 'still needs a migration').to.equal(false);
              expect((await tenants(orm.value).createMigration()).fileName).to.equal('');
            }

            expect((await tenants(orm.value).status()).tenants.map(({ pending }) => pending)).to.deep.equal([[], []]);
          }

          for (const [step, factory] of [...steps.entries()].slice(keeps).toReversed()) {
            await using orm = await disposable(evolve(factory));
            expect((await tenants(orm.value).migrate({ direction: 'down' })).failed).to.deep.equal([]);

            await using plainOrm = await disposable(openPlain({ ...database, options: () => plainOptions }, folder.path, factory({})));
            await plainOrm.value.migrator.down();
            const left = await readCatalog(plain, 'public', { without: shared });
            await expectTenants(left);
            expect(left.filter(line => leaves === undefined || !line.startsWith(leaves))).to.deep.equal(
              step === 0 ? [] : expected[step - 1],
            );
          }

          failed = false;
        } finally {
          await folder.remove();
          // close the second even if the first fails: an observer that stays open would crash the run when the server stops
          try {
            await own.close(failed);
          } finally {
            await plain.close(failed);
          }
        }

        function evolve(factory: EntityFactory): Promise<SpecOrm> {
          return openEvolving({ ...database, options: () => ownOptions }, folder.path, factory({ schema: '*' }), {
            options: { publicSchema, migrations: { snapshot } },
          });
        }

        async function expectTenants(lines: readonly string[]): Promise<void> {
          for (const schemaName of ['acme', 'bob']) {
            const found = (await readCatalog(own, schemaName)).map(line => line.replaceAll(`${publicSchema}.`, ''));
            expect(found, schemaName).to.deep.equal(lines);
            const out = await readReferencesOut(own, schemaName);
            expect(out.filter(line => !line.includes(`-> ${publicSchema}.`))).to.deep.equal([]);
          }
        }
      });
    }
  },
  ['postgresql'],
);

async function disposable<Orm extends Pick<MikroORM, 'close'>>(opening: Promise<Orm>): Promise<{ readonly value: Orm } & AsyncDisposable> {
  const value = await opening;

  return { value, [Symbol.asyncDispose]: () => value.close() };
}
