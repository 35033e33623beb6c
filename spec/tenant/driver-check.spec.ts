import { runInTenant, TenantConfigError, withTenants } from '@landlord/mikro-orm';
import { MikroORM, type Configuration } from '@mikro-orm/core';
import { AbstractSqlDriver, BaseMySqlPlatform, PostgreSqlConnection, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Author, Book, Genre, Library, Tag } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { openTwins } from '../support/orm/twins.ts';
import { ROOT } from '../support/orm/library-orm.ts';

describe('checking the driver', () => {
  it('W1 refuses a driver of a second copy of @mikro-orm/sql, and says how to have one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'landlord-second-copy-'));

    try {
      const { defineConfig } = await import(secondCopyIn(folder));
      const [problem, ...others] = problemsOf(() => withTenants(defineConfig({}), { tenant: Library }));

      expect(problem).to.match(/^`driver` is PostgreSqlDriver of a second copy of @mikro-orm\/sql\b.*`npm ls @mikro-orm\/sql`/);
      expect(others).to.deep.equal([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('W1 refuses at once what is no driver for SQL', () => {
    class PostgreSqlDriver {}
    const [problem] = problemsOf(() => withTenants({ driver: PostgreSqlDriver as never }, { tenant: Library }));

    expect(problem).to.match(/^`driver` is PostgreSqlDriver; the PostgreSQL and PGlite drivers are supported\./);
  });

  it('W1 refuses another database when the ORM starts, whatever its driver is called', async () => {
    class PostgreSqlDriver extends AbstractSqlDriver {
      constructor(config: Configuration) {
        super(config, new BaseMySqlPlatform(), PostgreSqlConnection, []);
      }
    }
    const error = await MikroORM.init(
      withTenants(
        { driver: PostgreSqlDriver as never, dbName: 'never_connected', entities: [Library, Author, Book, Genre, Tag] } as never,
        {
          tenant: Library,
        },
      ),
    ).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );

    expect(error).to.be.instanceOf(TenantConfigError);
    expect((error as TenantConfigError).problems).to.have.length(1);
    expect((error as TenantConfigError).problems[0]).to.match(/^`driver` is PostgreSqlDriver; the PostgreSQL and PGlite drivers/);
  });

  it('W1 takes a driver whose class is the user’s own, whatever it is called', () => {
    for (const driver of [class extends PostgreSqlDriver {}, class MySqlDriver extends PostgreSqlDriver {}]) {
      expect(problemsOf(() => withTenants({ driver }, { tenant: Library }))).to.deep.equal([]);
    }
  });
});

onDatabases('a driver of the user’s own, whose name a bundler has shortened', database => {
  it('law 2, G6: is under guard, and is told to be what it is', async () => {
    class t extends (database.options().driver as typeof PostgreSqlDriver) {}
    const orm = await openTwins(database, { driver: t });

    try {
      await runInTenant('acme', em => em.getConnection().executeDump(`update book set title = 'dumped'; select 1`));
      expect(await titles('acme')).to.deep.equal(['dumped', 'dumped']);
      expect(await titles('bob')).to.deep.equal(['bob book 1', 'bob book 2']);
      expect(await titles('public')).to.deep.equal(['decoy', 'decoy']);
    } finally {
      await orm.close();
    }
  });

  async function titles(schemaName: string): Promise<unknown[]> {
    const rows = await database.query(`select title from ${schemaName}.book order by id`);

    return rows.map(({ title }) => title);
  }
});

/** The URL of a second copy of the driver and its base, beside the one copy of all they need. */
function secondCopyIn(folder: string): string {
  const installed = join(ROOT, 'node_modules');
  const copies = join(folder, 'node_modules');
  mkdirSync(join(copies, '@mikro-orm'), { recursive: true });

  for (const name of ['@mikro-orm/sql', '@mikro-orm/postgresql']) {
    cpSync(join(installed, name), join(copies, name), { recursive: true });
  }

  for (const name of ['@mikro-orm/core', ...readdirSync(installed).filter(entry => !/^[.@]/.test(entry))]) {
    symlinkSync(join(installed, name), join(copies, name));
  }

  return pathToFileURL(join(copies, '@mikro-orm/postgresql/index.js')).href;
}

function problemsOf(fn: () => unknown): readonly string[] {
  try {
    fn();
  } catch (error) {
    expect(error).to.be.instanceOf(TenantConfigError);

    return (error as TenantConfigError).problems;
  }

  return [];
}
