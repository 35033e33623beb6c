import type { TenantsOptions } from '@landlord/mikro-orm';
import type { Library } from '../../../fixtures/entities/index.ts';
import { asObserver } from '../assertions/statement-watch.ts';
import { onDatabases, type SpecDatabase } from '../databases/database.ts';
import { openLibrary, type LibraryOrm } from '../orm/library-orm.ts';
import { addAuthors, createLibraries, hostOf } from '../web/web-library.ts';
import { openLibraryKit, type LibraryKit } from './library-kit.ts';

/** The lending library with two tenants, `acme` and `bob`, and an author in each: `Ann of <name>`. */
export interface Libraries extends Pick<SpecDatabase, 'statements' | 'query'> {
  readonly orm: LibraryOrm;
}

/**
 * Describes what needs neither a commit nor a second connection, on both kinds of database. On PostgreSQL all of it is one test of the kit, with
 * ready tenants: nothing is migrated, created or dropped for it. A PGlite of the kit is slower than an empty one that other specs have used.
 */
export function onLibraries(title: string, tenants: Partial<TenantsOptions<Library>>, body: (libraries: Libraries) => void): void {
  describe(`${title} (postgresql, in a test of the kit)`, () => {
    const statements: string[] = [];
    let kit: LibraryKit;

    before(async () => {
      const logger = (message: string): void => void statements.push(message);
      kit = await openLibraryKit('postgresql', { tenants, config: { debug: ['query', 'query-params'], colors: false, logger } });
      await kit.begin(title);

      for (const schemaName of ['acme', 'bob']) {
        await kit.testTenant<Library>({ name: schemaName, schemaName, domainUrl: hostOf(schemaName) });
        await addAuthors(kit.orm, schemaName, [`Ann of ${schemaName}`]);
      }
    });

    body({
      statements,
      get orm() {
        return kit.orm;
      },
      query: (sql, params = []) =>
        asObserver(async () => {
          const pool = (await (kit.orm.em.getConnection() as unknown as Native).getNativeClient()) as Pool;

          return (await pool.query(sql, params)).rows as any;
        }),
    });

    after(() => kit?.close());
  });

  onDatabases(
    title,
    database => {
      let orm: LibraryOrm;

      before(async () => {
        orm = await openLibrary(database, tenants);
        await createLibraries(orm, 'acme', 'bob');
      });

      body({
        statements: database.statements,
        query: (sql, params) => database.query(sql, params),
        get orm() {
          return orm;
        },
      });
    },
    ['pglite'],
  );
}

interface Native {
  getNativeClient(): Promise<unknown>;
}

interface Pool {
  query(sql: string, params: readonly unknown[]): Promise<{ readonly rows: unknown[] }>;
}
