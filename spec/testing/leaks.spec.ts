import { currentSchema, runInTenant, tenantContext, type TenantEntityManager } from '@landlord/mikro-orm';
import { findLeaks, expectNoLeaks, requestsOf, type LeakReport, type RequestOf } from '@landlord/mikro-orm/testing';
import { expect } from 'chai';
import Koa from 'koa';
import pg from 'pg';
import { createApp } from '../../fixtures/app/app.ts';
import { Author, Book, Member, type Library } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openLibraryKit, type LibraryKit } from '../support/testing/library-kit.ts';

describe('the leak suite', () => {
  let kit: LibraryKit;
  let orm: LibraryOrm;

  before(async () => {
    kit = await openLibraryKit('postgresql');
    orm = kit.orm;
  });

  after(() => kit?.close());

  beforeEach(async function () {
    await kit.begin(this.currentTest?.title ?? '', { mode: 'real' });
  });

  afterEach(() => kit.end());

  const fill = (em: TenantEntityManager, mark: string): Promise<void> => em.persistAndFlush(em.create(Author, { name: mark }));

  it('K2 passes the example application, of which it sends all pages', async () => {
    const book = { id: 0, ofSchema: new Map<string, number>() };
    const document = {
      paths: {
        '/': { get: {} },
        '/books/{id}': { get: { parameters: [{ name: 'id', in: 'path' }] } },
        '/members': { get: {} },
        '/loans': { get: {} },
      },
    };
    const form = (fields: string): { body: string; headers: Record<string, string> } => ({
      body: fields,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    const report = await expectNoLeaks<LibraryOrm, Library>({
      kit,
      app: createApp(orm),
      rounds: 2,
      fill: async (em, mark, library) => {
        const author = em.create(Author, { name: `Author ${mark}` });
        const made = em.create(Book, { title: `Book ${mark}`, author });
        em.create(Member, { name: `Member ${mark}` });
        await em.persistAndFlush(made);
        book.ofSchema.set(library.schemaName, made.id);
      },
      requests: [
        ...requestsOf(document, { parameter: (_name, tenant) => book.ofSchema.get(tenant.schemaName) }),
        { method: 'POST', path: '/members/new', ...form('name=New {{mark}}') },
        { method: 'POST', path: '/books/new', ...form('title=Other {{mark}}&author=Author {{mark}}&genre=&format=print&copies=1') },
      ],
    });

    expect(report.leaks).to.deep.equal([]);
    expect(report.silent.filter(each => each.startsWith('GET /books') || each === 'GET /')).to.deep.equal([]);
    expect(report.sent).to.equal(6 * 3 + 6 * 2 * 2);
  });

  const planted: Record<
    string,
    { readonly route: (ctx: Koa.Context) => unknown; readonly finds: RegExp; readonly requests?: RequestOf[] }
  > = {
    'a cache of the module': {
      route: async ctx => (ctx.body = cache ??= await names()),
      finds: /shows "mark-/,
    },
    'raw SQL that names a schema': {
      route: async ctx => (ctx.body = await pool.query('select name from ready_1.author').then(({ rows }) => rows)),
      finds: /shows "mark-/,
    },
    'a pool without guards, on which a path stays': {
      route: async ctx => {
        const before = await pool.query('show search_path');

        if (before.rows[0].search_path === 'unset') {
          await pool.query(`select set_config('search_path', $1, false)`, [currentSchema()]);
        }

        ctx.body = (await pool.query('select name from author')).rows;
      },
      finds: /shows "mark-/,
    },
    'a job that has kept a scope': {
      route: ctx => {
        const mark = String(ctx.query['mark']);
        firstSchema ??= currentSchema();
        jobs.push(() => runInTenant(firstSchema ?? '', em => em.persistAndFlush(em.create(Author, { name: mark })), { orm }));
        ctx.body = '';
      },
      requests: [{ path: '/?mark={{mark}}' }],
      finds: /the table "ready_\d"."author" holds the mark of "ready_\d"/,
    },
    'a request that changes another tenant': {
      route: async ctx => {
        await pool.query('update ready_2.author set name = name || $1', ['!']);
        ctx.body = '';
      },
      finds: /alone have changed "ready_2"."author"/,
    },
  };

  let cache: unknown;
  let firstSchema: string | undefined;
  const jobs: (() => Promise<unknown>)[] = [];
  let pool: pg.Pool;
  const names = async (): Promise<string[]> => (await orm.em.find(Author, {})).map(({ name }) => name);

  for (const [leak, { route, finds, requests = [{ path: '/' }] }] of Object.entries(planted)) {
    it(`K2 finds ${leak}`, async () => {
      cache = firstSchema = undefined;
      pool = new pg.Pool({ connectionString: kit.url, max: 1, options: '-c search_path=unset' });
      // its last connection may be ending yet when the database is dropped
      pool.on('error', () => undefined);
      const app = new Koa();
      app.use(tenantContext({ orm }));
      app.use(route);
      let report: LeakReport;

      try {
        report = await findLeaks<LibraryOrm>({
          kit,
          app,
          requests,
          fill,
          rounds: 1,
          settle: async () => {
            for (const job of jobs.splice(0)) {
              await job();
            }
          },
        });
      } finally {
        await pool.end();
      }

      expect(report.leaks.join('\n')).to.match(finds);
    });
  }

  it('K2 fails a test that it cannot look into, and names the requests that leak', async () => {
    const app = new Koa();
    app.use(tenantContext({ orm }));
    app.use(async ctx => (ctx.body = cache ??= await names()));
    cache = undefined;
    const error = await refusal(expectNoLeaks<LibraryOrm>({ kit, app, fill, requests: [{ path: '/authors' }] }), 'TEST_LEAK');

    expect(error.message).to.contain('GET /authors as "ready_2" shows "mark-');

    await kit.end();
    await kit.begin('rolled back');
    await refusal(findLeaks<LibraryOrm>({ kit, app, fill, requests: [] }), 'TEST_USAGE');
  });
});
