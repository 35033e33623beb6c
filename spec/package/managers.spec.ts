import { expect } from 'chai';
import packageJson from '../../package.json' with { type: 'json' };
import { createDatabase } from '../support/databases/database.ts';
import { turnsOf } from '../support/generators/effort.ts';
import { addFiles, packedPackage, succeeded } from './installed-project.ts';
import { installManagers, MANAGER_NAMES } from './package-managers.ts';

describe('a project that lists its driver, and no @mikro-orm/sql', () => {
  let manager: Awaited<ReturnType<typeof installManagers>>;

  before(async () => {
    manager = await installManagers();
  });

  // the strictest of each family, and all of them in a search
  for (const name of turnsOf(MANAGER_NAMES, 0, 3)) {
    it(`G2 installs this package by its name alone with ${name}, beside a MikroORM that is not the newest, and starts`, async () => {
      const installed = manager(name);
      const { tarball } = await packedPackage();
      const folder = await installed.project(Object.fromEntries(LISTED.map(each => [each, oldestOf(each)])), tarball);
      const database = await createDatabase(`managers ${name}`);
      const run = async (...args: string[]): Promise<string> =>
        succeeded(await installed.exec(folder, args, { DATABASE_URL: database.url })).stdout.replaceAll(/\s+/g, ' ');

      try {
        addFiles({ folder }, 'cli-project');
        addFiles({ folder }, 'server-project');
        await run('mikro-orm-tenants', 'migration:up');
        await run('node', 'create.js', 'acme');

        expect(await run('mikro-orm', 'migration:list'))
          .to.contain('Migration20260101000000')
          .and.not.contain('Migration20260101000001');
        expect(
          await database.query(`select table_schema as schema from information_schema.tables where table_name = 'book'`),
        ).to.deep.equal([{ schema: 'acme' }]);
      } finally {
        await database.close();
      }
    });
  }

  it('G2 may be of any version in one range, the same for each package of MikroORM', () => {
    const ranges = Object.entries(packageJson.peerDependencies).filter(([name]) => name.startsWith('@mikro-orm/'));

    expect(ranges.map(([name]) => name))
      .to.include.members(LISTED)
      .and.not.include('@mikro-orm/sql');
    expect(new Set(ranges.map(([, range]) => range))).to.have.length(1);
  });
});

const LISTED = ['@mikro-orm/cli', '@mikro-orm/core', '@mikro-orm/migrations', '@mikro-orm/postgresql'] as const;

function oldestOf(name: (typeof LISTED)[number]): string {
  return /^>=(\S+) </.exec(packageJson.peerDependencies[name])?.[1] ?? expect.fail(`${name} has no oldest version`);
}
