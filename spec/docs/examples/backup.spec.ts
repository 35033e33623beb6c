import { runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createApp } from '../../../docs/examples/bookshop/app.ts';
import { Book, Genre } from '../../../docs/examples/bookshop/entities.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { refusal } from '../../support/assertions/refusal.ts';
import { databaseOfServer } from '../../support/databases/database-of-server.ts';
import { requiresAllPrograms } from '../../support/databases/debian.ts';
import { startSystemServer, systemServerRemedy, type SystemServer } from '../../support/databases/system-server.ts';
import { createShop, openBookshop } from '../../support/orm/bookshop.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';
import { createBookshopProject, type BookshopProject } from '../../support/processes/bookshop-project.ts';
import { expectPrinted, transcriptsOf, type TranscribedCommand } from '../../support/processes/transcripts.ts';
import { serve } from '../../support/web/web-server.ts';

const remedy = systemServerRemedy();

describe('the page on backup and restore', () => {
  if (remedy !== undefined && !requiresAllPrograms()) {
    it(`is pending: ${remedy}`);
    return;
  }

  const opened: (() => unknown)[] = [];
  let server: SystemServer;
  let orm: SpecOrm;
  let project: BookshopProject;
  let query: ReturnType<typeof databaseOfServer>['query'];

  before(async () => {
    server = await startSystemServer();
    opened.push(() => server.remove());
    const database = databaseOfServer(server.url, close => opened.push(close));
    query = (sql, params) => database.query(sql, params);
    orm = await openBookshop(database);
    project = await createBookshopProject(server.url);
    opened.push(() => project.remove());
    await createShop('acme');
    await createShop('bob');
    await runInTenant('acme', async em => {
      em.create(Book, { title: 'Emma', genre: em.create(Genre, { name: 'Novel' }) });
      await em.flush();
    });
  });

  after(async () => {
    for (const close of opened.toReversed()) {
      await close();
    }
  });

  it('T21 S12 M7 its commands back up a tenant, undo damage, and bring a tenant back, while the application runs', async () => {
    const app = await serve(createApp(orm.em), { atEnd: close => opened.push(close) });
    const titles = async (): Promise<unknown> => (await app.get('acme.example.com', '/books')).body;
    const [backUp, undo, drop, bringBack, ...others] = transcriptsOf('docs/guides/backup-and-restore-one-tenant.md');
    expect(others).to.deep.equal([]);
    expect(await titles()).to.contain('Emma');
    await replay(backUp!);

    await query('delete from acme.book');
    await query(`insert into acme.book (title) values ('Later')`);
    expect(await titles()).to.contain('Later');
    await replay(undo!);
    expect(await titles())
      .to.contain('Emma')
      .and.not.to.contain('Later');
    expect(await query('select title from acme_damaged.book')).to.deep.equal([{ title: 'Later' }]);
    const write = async (): Promise<unknown> => runInTenant('acme', em => em.persistAndFlush(em.create(Book, { title: 'Sanditon' })));
    expect(await refusal(write, 'TENANT_CHANGED')).to.be.an('error');
    await write();
    expect(await query('select title from acme.book order by id')).to.deep.equal([{ title: 'Emma' }, { title: 'Sanditon' }]);
    await replay(drop!);

    const [{ id }] = (await query(`select id from client where schema_name = 'acme'`)) as [{ id: number }];
    await tenants().drop('acme');
    expect((await app.get('acme.example.com', '/books')).status).to.equal(404);
    await replay(bringBack!);
    expect(await query('select id, schema_name from client order by id')).to.deep.include({ id, schema_name: 'acme' });
    expect(await titles())
      .to.contain('Emma')
      .and.not.to.contain('Sanditon');
    expect(await runInTenant('bob', em => em.count(Book))).to.equal(0);
  });

  it('T9 a schema is adopted only where that is asked for', async () => {
    await query('delete from client where schema_name = $1', ['bob']);
    const data = { name: 'bob', domainUrl: 'bob.example.com', schemaName: 'bob' };

    expect(await refusal(tenants().create(data), 'SCHEMA_ALREADY_EXISTS')).to.be.an('error');
    await tenants().create(data, { adoptSchema: true });
  });

  it('R1 a database without the shared rows is left without the tenant', async () => {
    await query('create database elsewhere');
    const url = server.url.replace(/postgres$/, 'elsewhere');
    const elsewhere = databaseOfServer(url, close => opened.push(close));
    const other = await openBookshop(elsewhere);
    await other.close();
    const { stderr } = (await failureOf(
      shell('pg_restore --exit-on-error --single-transaction --dbname="$DATABASE_URL" acme.dump', url),
    )) as { readonly stderr: string };

    expect(stderr).to.contain('insert or update on table "book" violates foreign key constraint "book_genre_id_foreign"');
    expect(await elsewhere.query(`select 1 from pg_namespace where nspname = 'acme'`)).to.deep.equal([]);
  });

  async function replay(commands: readonly TranscribedCommand[]): Promise<void> {
    const isOurs = ({ command }: TranscribedCommand): boolean => command.startsWith('npx ');

    for (const each of commands.filter(command => !isOurs(command))) {
      expectPrinted(each, await shell(each.command, server.url));
    }

    // they come last in each block, and are run in one process
    const ours = commands.filter(isOurs);
    expect(commands.slice(commands.length - ours.length)).to.deep.equal(ours);
    expect(ours.length === 0 ? [] : await project.replay(ours)).to.deep.equal(ours.map(() => 0));
  }

  async function shell(command: string, url: string): Promise<string> {
    const env = { ...process.env, DATABASE_URL: url, PATH: `${server.programs}:${join(process.execPath, '..')}:${process.env['PATH']}` };
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', command], { cwd: project.folder, env });

    return stderr + stdout;
  }
});
