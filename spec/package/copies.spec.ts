import * as landlord from '@landlord/mikro-orm';
import { expect } from 'chai';
import { build } from 'esbuild';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Book } from '../../fixtures/entities/index.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { onDatabases } from '../support/databases/database.ts';
import { ROOT, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

onDatabases(
  'a process that has loaded the package twice, as a bundle and beside it',
  database => {
    let orm: LibraryOrm;
    let folder: string;
    let copy: typeof landlord;

    before(async () => {
      orm = await openTwins(database);
      // in the repository, so that the copy finds its packages
      await mkdir(join(ROOT, '.data'), { recursive: true });
      folder = await mkdtemp(join(ROOT, '.data', 'copies-'));
      const outfile = join(folder, 'copy.mjs');
      await build({
        entryPoints: [join(ROOT, 'dist/index.js')],
        outfile,
        bundle: true,
        platform: 'node',
        format: 'esm',
        packages: 'external',
      });
      copy = (await import(pathToFileURL(outfile).href)) as typeof landlord;
    });

    after(async () => {
      await orm.close();
      await rm(folder, { recursive: true, force: true });
    });

    it('W2 says that another copy has opened the ORM, and works for no tenant', async () => {
      const { currentTenant, runInPublic, runInTenant, tenants } = copy;
      const asked = (options?: { orm: LibraryOrm }): (() => unknown)[] => [
        () => runInTenant('acme', () => undefined, options),
        () => runInPublic(() => undefined, options),
        () => tenants(options?.orm).list(),
      ];

      for (const [code, works] of [
        ['NO_ORM', asked()],
        ['ORM_WITHOUT_TENANTS', asked({ orm })],
      ] as const) {
        for (const work of works) {
          expect(await failureOf(work, code))
            .to.include({ code })
            .and.have.property('message')
            .that.matches(/another copy of @landlord\/mikro-orm/);
        }
      }

      await landlord.runInTenant('acme', async () => {
        expect(currentTenant()).to.equal(undefined);
        expect((await orm.em.findOneOrFail(Book, 1)).title).to.equal('acme book 1');
        // the scope is that of the first copy
        expect(await failureOf(() => runInTenant('bob', () => undefined), 'the copy')).to.include({ code: 'NO_ORM' });
      });
    });

    it('W2 says nothing of a copy whose ORM was closed', async () => {
      await orm.close();

      expect(await failureOf(() => copy.runInPublic(() => undefined), 'the copy'))
        .to.have.property('message')
        .that.does.not.match(/another copy/);
    });
  },
  ['postgresql'],
);
