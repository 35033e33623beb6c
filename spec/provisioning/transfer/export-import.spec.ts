import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { runInTenant, tenants, type ExportTenantOptions } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { refusal } from '../../support/assertions/refusal.ts';
import { schemaNames } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { HARD_PUBLIC, HARD_ROWS, HARD_SCHEMA } from '../../support/databases/hard-schema.ts';
import { describeSchema, rowsOfSchema } from '../../support/databases/whole-schema.ts';
import { EVERY_TYPE, EVERY_VALUE } from '../../support/databases/every-type.ts';
import { host, openHardOrm } from '../../support/orm/hard-orm.ts';
import { sqlMigration, type MigrationEntry } from '../../support/orm/tenant-set.ts';

onDatabases('a tenant as a file', database => {
  const list: MigrationEntry[] = [sqlMigration('Hard', HARD_SCHEMA), sqlMigration('Types', EVERY_TYPE)];
  let folder: string;
  let file: Buffer;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'landlord-spec-'));
    await openHardOrm(database, { options: { migrations: { migrationsList: list } } });

    for (const sql of HARD_PUBLIC) {
      await database.query(sql);
    }

    await tenants().create(host('acme'));
    await runInTenant('acme', async em => {
      for (const sql of HARD_ROWS) {
        await em.execute(sql);
      }
    });

    for (const sql of EVERY_VALUE) {
      await database.query(sql);
    }

    file = await exported('acme');
  });

  after(() => rm(folder, { recursive: true }));

  async function exported(name: string, options?: ExportTenantOptions): Promise<Buffer> {
    const stream = new PassThrough();
    const [bytes] = await Promise.all([buffer(stream), tenants().export(name, stream, options)]);

    return bytes;
  }

  it('L2 a tenant that is read back under another name has equal catalogs and equal checksums of all rows, of every type', async () => {
    await tenants().import(Readable.from([file]), host('bob'));

    expect(await describeSchema(database, 'bob')).to.deep.equal(await describeSchema(database, 'acme'));
    expect(await rowsOfSchema(database, 'bob')).to.deep.equal(await rowsOfSchema(database, 'acme'));
    const [types] = await database.query('select count(*)::int as n from bob.every_type');
    expect(types).to.deep.equal({ n: 3 });
  });

  it('L2 an export of the copy is the same, but for names and times', async () => {
    const lines = (bytes: Buffer): string[] =>
      gunzipSync(bytes)
        .toString('utf8')
        .split('\n')
        .slice(1)
        .filter(line => !line.startsWith('{"end"'));
    const own = /"?\b(?:acme|bob)\b"?/g;
    expect(
      lines(await exported('bob'))
        .join('\n')
        .replaceAll(own, '*'),
    ).to.equal(lines(file).join('\n').replaceAll(own, '*'));
  });

  it('L2 it is migrated up to date afterwards', async () => {
    list.push(sqlMigration('Later', 'alter table log add later int default 7'));

    try {
      await writeFile(join(folder, 'acme'), file);
      await tenants().import(join(folder, 'acme'), host('carl'));
      await runInTenant('carl', em => em.execute(`insert into log (what) values ('x')`));
      expect(await database.query(`select later from carl.log where what = 'x'`)).to.deep.equal([{ later: 7 }]);
      expect((await tenants().history('carl')).map(({ name }) => name)).to.deep.equal(['Hard', 'Types', 'Later']);
    } finally {
      list.pop();
    }
  });

  it('L2 says which tenant it has imported if that cannot be migrated afterwards', async () => {
    list.push(sqlMigration('Broken', 'alter table nowhere add later int'));

    try {
      await writeFile(join(folder, 'acme'), file);
      const error = await refusal(tenants().import(join(folder, 'acme'), host('emma')), 'IMPORT_NOT_MIGRATED');

      expect(error.message).to.contain('Tenant "emma" was imported').and.contain('relation "nowhere" does not exist');
      expect((await tenants().history('emma')).map(({ name }) => name)).to.deep.equal(['Hard', 'Types']);
    } finally {
      list.pop();
      await tenants().drop('emma');
    }
  });

  it('L2 refuses a file that was cut, changed or lengthened, before any DDL', async () => {
    const plain = gunzipSync(file);
    const changed = Buffer.from(plain);
    const at = plain.indexOf('author 2');
    changed.write('x', at);
    const damaged: Record<string, Buffer> = {
      'cut in the archive': file.subarray(0, file.length - 20),
      'cut at half': file.subarray(0, file.length / 2),
      'cut before its last line': gzipSync(plain.subarray(0, plain.lastIndexOf('{"end"'))),
      'a value was changed': gzipSync(changed),
      'a bit of the archive': Buffer.from(file.map((byte, index) => (index === file.length - 6 ? byte ^ 1 : byte))),
      'a line was added': gzipSync(Buffer.concat([plain, Buffer.from('{"sql":["drop table author"],"is":"keys"}\n')])),
      'no archive': Buffer.from('select 1'),
      'no export': gzipSync('{"x":1}\n'),
      empty: Buffer.alloc(0),
    };
    const names = await schemaNames(database);

    for (const [label, bytes] of Object.entries(damaged)) {
      await refusal(tenants().import(Readable.from([bytes]), host('dora')), 'IMPORT_INVALID', label);
    }

    expect(await schemaNames(database)).to.deep.equal(names);
    expect(await tenants().list({ where: { schemaName: 'dora' } })).to.deep.equal([]);
  });

  it('L2 refuses migrations that the set does not have, a newer format, and a name that is taken', async () => {
    const withHeader = (change: object): Readable => {
      const [first = '', ...rest] = gunzipSync(file).toString('utf8').split('\n');

      return Readable.from([gzipSync([JSON.stringify({ ...(JSON.parse(first) as object), ...change }), ...rest].join('\n'))]);
    };
    await refusal(tenants().import(withHeader({ landlordTenant: 2 }), host('dora')), 'IMPORT_REFUSED');
    const types = list.pop();
    await refusal(tenants().import(Readable.from([file]), host('dora')), 'IMPORT_REFUSED');
    list.push(types as MigrationEntry);
    await database.query('create schema taken');
    await refusal(tenants().import(Readable.from([file]), host('taken')), 'SCHEMA_ALREADY_EXISTS');
    await refusal(tenants().import(Readable.from([file]), { ...host('acme'), domainUrl: 'other.example.com' }), 'TENANT_ALREADY_EXISTS');
    expect(await schemaNames(database)).to.not.include('dora');
  });

  it('L2 a reader that is slow is waited for, and nothing is left for each wait', async () => {
    const warnings: unknown[] = [];
    const warn = (warning: unknown): void => void warnings.push(warning);
    process.on('warning', warn);
    const slow = new PassThrough({ highWaterMark: 64 });
    const read = (async () => {
      for await (const _chunk of slow) {
        await new Promise(resolve => setImmediate(resolve));
      }
    })();
    await tenants().export('acme', slow, { format: 'sql' });
    await read;
    await new Promise(resolve => setImmediate(resolve));
    process.off('warning', warn);

    expect(warnings).to.deep.equal([]);
  });

  it('L2 as JSON it has all rows of the tenant and of nobody else', async () => {
    const all = JSON.parse((await exported('acme', { format: 'json' })).toString('utf8')) as {
      tables: Record<string, Record<string, unknown>[]>;
    };
    expect(all.tables['book']?.map(({ title }) => title)).to.deep.equal([1, 2, 3, 4, 5].map(n => `Book ${n}`));
    expect(Object.keys(all.tables)).to.not.include('mikro_orm_migrations');
    expect(all.tables['event_2026_0']?.length).to.be.a('number');
  });
});
