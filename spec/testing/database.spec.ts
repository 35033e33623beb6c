import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Migration } from '@mikro-orm/migrations';
import { expect } from 'chai';
import pg from 'pg';
import { TestDatabaseError } from '@landlord/mikro-orm/testing';
import { Genre, Library } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { ROOT } from '../support/orm/library-orm.ts';
import { openLibraryKit } from '../support/testing/library-kit.ts';

describe('the databases of the workers', () => {
  const closers: (() => Promise<unknown>)[] = [];
  const open: typeof openLibraryKit = async (...args) => {
    const kit = await openLibraryKit(...args);
    closers.push(() => kit.close());

    return kit;
  };

  afterEach(async () => {
    for (const close of closers.splice(0)) {
      await close();
    }
  });

  it('K1 makes one template for workers that start at once, and gives each a database of its own', async () => {
    let made = 0;
    const options = {
      version: randomUUID(),
      readyTenants: 1,
      prepare: async (orm: { em: any }) => {
        made += 1;
        const em = orm.em.fork();
        await em.persistAndFlush(em.create(Genre, { name: 'Crime', description: '' }));
      },
    };
    const kits = await Promise.all([open('postgresql', options), open('postgresql', options), open('postgresql', options)]);
    const later = await open('postgresql', options);

    expect(made).to.equal(1);
    expect(new Set([...kits, later].map(({ url }) => url))).to.have.property('size', 4);

    for (const [index, kit] of kits.entries()) {
      await kit.begin('beside others');
      await kit.testTenant({ name: `Worker ${index}` });
    }

    for (const [index, kit] of kits.entries()) {
      expect((await kit.orm.em.fork().find(Library, {})).map(({ name }) => name)).to.deep.equal([`Worker ${index}`]);
      expect(await kit.orm.em.fork().count(Genre)).to.equal(1);
    }
  });

  it('K1 gives the next worker the database of one that has left it as it was, and no other', async function () {
    // the spec of another process may drop it meanwhile, as one of another template
    this.retries(2);
    const options = { version: randomUUID(), readyTenants: 1 };
    const first = await openLibraryKit('postgresql', options);
    const { url } = first;
    await first.run('rolled back', () => first.testTenant());
    await first.close();
    const second = await openLibraryKit('postgresql', options);
    expect(second.url).to.equal(url);
    await second.outside(() => second.orm.em.execute(`insert into genre (name) values ('Crime')`));
    await second.close();
    const third = await open('postgresql', options);
    await third.begin('after a change');

    expect(third.url).to.not.equal(url);
    expect(await third.orm.em.fork().count(Genre)).to.equal(0);
  });

  it('K1 makes the template anew when a set, an entity or the version changes, and drops the old one', async () => {
    let made = 0;
    const version = randomUUID();
    const options = { version, readyTenants: 0, prepare: () => void (made += 1) };
    await (await openLibraryKit('postgresql', options)).close();
    await (await openLibraryKit('postgresql', options)).close();
    expect(made).to.equal(1);

    const first = await openLibraryKit('postgresql', { ...options, version: randomUUID() });
    const prefix = new URL(first.url ?? '').pathname.slice(1).replace(/w_.*$/, 't_');
    await first.close();
    const templates = (): Promise<Record<string, any>[]> =>
      onServer('select datname::text as name from pg_database where starts_with(datname, $1) order by 1', [prefix]);
    const before = await templates();
    await (
      await openLibraryKit('postgresql', {
        ...options,
        tenants: { migrations: { migrationsList: [Other] } },
      })
    ).close();
    const after = await templates();

    expect(made).to.equal(3);
    // the spec of another process may have one at the same time
    expect(after.map(({ name }) => String(name))).to.not.include.members(before.map(({ name }) => String(name)));
  });

  it('K1 drops what a killed worker has left, with the next start', async () => {
    const version = randomUUID();
    const worker = spawn(process.execPath, ['--import', 'tsx', join(ROOT, 'spec/support/testing/worker-process.ts'), version], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(worker.stdout, 'data')) as [Buffer];
    const name = new URL(String(line).trim()).pathname.slice(1);
    const isThere = async (): Promise<boolean> => (await onServer('select from pg_database where datname = $1', [name])).length > 0;

    await (await open('postgresql', { version, readyTenants: 0 })).close();
    expect(await isThere()).to.equal(true);

    worker.kill('SIGKILL');
    await once(worker, 'exit');
    // the server takes a moment to see that its connections are gone
    const end = Date.now() + 10_000;

    while ((await isThere()) && Date.now() < end) {
      await (await openLibraryKit('postgresql', { version, readyTenants: 0 })).close();
    }

    expect(await isThere()).to.equal(false);
  });

  it('K1 loads the template of PGlite from an earlier run, and removes those that the project has kept for more than a day', async () => {
    const folder = join(tmpdir(), 'landlord-testing');
    const own = createHash('sha256').update(process.cwd()).digest('hex').slice(0, 8);
    const kept = [`${own}_old.tar`, `${own}_recent.tar`, 'another_old.tar'].map(name => join(folder, name));
    const aDayAgo = Date.now() / 1000 - 25 * 60 * 60;
    await mkdir(folder, { recursive: true });

    for (const file of kept) {
      await writeFile(file, '');
    }

    await utimes(join(folder, `${own}_old.tar`), aDayAgo, aDayAgo);
    await utimes(join(folder, 'another_old.tar'), aDayAgo, aDayAgo);
    let made = 0;
    const options = { version: randomUUID(), readyTenants: 1, prepare: () => void (made += 1) };
    await (await openLibraryKit('pglite', options)).close();
    const left = kept.map(file => existsSync(file));
    await Promise.all(kept.map(file => rm(file, { force: true })));
    const kit = await open('pglite', options);
    await kit.begin('later');
    await kit.testTenant();

    expect(made).to.equal(1);
    expect(await kit.orm.em.fork().count(Library)).to.equal(1);
    expect(left).to.deep.equal([false, true, true]);
  });

  it('K3 says that no server answers', async () => {
    const error = await refusal(openLibraryKit('postgresql', { url: 'postgres://somebody@127.0.0.1:1/postgres' }), 'TEST_SERVER');

    expect(error.message).to.contain('ECONNREFUSED').and.to.contain('`url`').and.to.contain('DATABASE_URL');
  });

  it('K3 says that the role may not create databases', async () => {
    await onServer(`create role landlord_spec_poor login password 'poor'`);

    try {
      const url = new URL(process.env['DATABASE_URL'] ?? '');
      url.username = 'landlord_spec_poor';
      url.password = 'poor';
      const error = await refusal(openLibraryKit('postgresql', { url: url.href, version: randomUUID() }), 'TEST_SERVER');

      expect(error).to.be.instanceOf(TestDatabaseError);
      expect(error.message).to.contain('alter role "landlord_spec_poor" createdb');
    } finally {
      await onServer('drop role landlord_spec_poor');
    }
  });

  for (const kind of ['postgresql'] as const) {
    it(`K3 says which set does not migrate, and why (${kind})`, async () => {
      const version = randomUUID();
      const ofTenants = await refusal(
        openLibraryKit(kind, { version, tenants: { migrations: { migrationsList: [Broken] } } }),
        'TEST_TEMPLATE',
      );
      const ofPublic = await refusal(
        openLibraryKit(kind, { version, config: { migrations: { migrationsList: [Broken], silent: true } } }),
        'TEST_TEMPLATE',
      );

      expect(ofTenants.message).to.contain('the tenant set failed').and.to.contain('nowhere');
      expect(ofPublic.message).to.contain('the public set failed').and.to.contain('nowhere');
    });
  }
});

class Other extends Migration {
  override up(): void {
    this.addSql('create table other (id int)');
  }
}

class Broken extends Migration {
  override up(): void {
    this.addSql('alter table nowhere add column a int');
  }
}

async function onServer(sql: string, values: unknown[] = []): Promise<Record<string, any>[]> {
  const client = new pg.Client({ connectionString: process.env['DATABASE_URL'] });
  await client.connect();

  try {
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end();
  }
}
