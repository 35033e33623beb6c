import type { Library } from '../../../fixtures/entities/index.ts';
import type { LibraryOrm } from '../orm/library-orm.ts';
import { addAuthors, hostOf } from '../web/web-library.ts';
import { openLibraryKit, type LibraryKit } from './library-kit.ts';

/** What a spec in the transaction of a test has. */
export interface LibraryTest {
  readonly kit: LibraryKit;
  readonly orm: LibraryOrm;
}

/**
 * Describes what needs neither a commit nor a second connection, on both kinds of database: each spec is a test of the kit, with the libraries
 * `acme` and `bob` and an author in each, `Ann of <name>`. What it changes is gone when it ends.
 */
export function onLibraryKit(title: string, body: (test: LibraryTest) => void): void {
  for (const kind of ['postgresql', 'pglite'] as const) {
    describe(`${title} (${kind})`, function () {
      // the first one makes the template
      this.timeout(60_000);

      let kit: LibraryKit;

      before(async () => {
        kit = await openLibraryKit(kind);
      });

      after(() => kit?.close());

      beforeEach(async function () {
        await kit.begin(this.currentTest?.title ?? '');

        for (const schemaName of ['acme', 'bob']) {
          await kit.testTenant<Library>({ name: schemaName, schemaName, domainUrl: hostOf(schemaName) });
          await addAuthors(kit.orm, schemaName, [`Ann of ${schemaName}`]);
        }
      });

      afterEach(() => kit?.end());

      body({
        get kit() {
          return kit;
        },
        get orm() {
          return kit.orm;
        },
      });
    });
  }
}
