import { createServer } from 'node:http';
import { runInPublic, runInTenant } from '@landlord/mikro-orm';
import { asTenant, expectNoScope, expectTenantOf, inject } from '@landlord/mikro-orm/testing';
import { expect } from 'chai';
import Fastify from 'fastify';
import { Hono } from 'hono';
import request from 'supertest';
import { Author, Book, Genre, type Library } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openLibraryKit, type LibraryKit } from '../support/testing/library-kit.ts';

for (const kind of ['postgresql', 'pglite'] as const) {
  describe(`the assertions of the kit (${kind})`, () => {
    let kit: LibraryKit;
    let orm: LibraryOrm;
    let acme: Library;
    let bob: Library;
    let carl: Library;

    before(async () => {
      kit = await openLibraryKit(kind, { readyAtMost: 0 });
      orm = kit.orm;
    });

    after(() => kit?.close());

    beforeEach(async function () {
      await kit.begin(this.currentTest?.title ?? '');
      acme = await kit.testTenant<Library>();
      bob = await kit.testTenant<Library>();
      // there are two ready ones
      carl = await kit.testTenant<Library>();
    });

    afterEach(() => kit.end());

    const addAuthor = (library: Library): Promise<void> =>
      runInTenant(library, em => em.persistAndFlush(em.create(Author, { name: 'Ann' })), { orm });

    it('K2 finds nothing where only one tenant was changed', async () => {
      await addAuthor(acme);
      await addAuthor(carl);
      await runInTenant(bob, em => em.find(Book, {}, { populate: ['author', 'genre'] }), { orm });

      await kit.expectUntouched(bob, 'public');
      expect((await refusal(kit.expectUntouched(acme), 'TEST_LEAK')).message)
        .to.contain('"K2 finds nothing where only one tenant was changed"')
        .and.to.contain(`"${acme.schemaName}"."author": 1 inserted`)
        .and.to.contain(`"${acme.schemaName}"."author_id_seq": sequence used`);
      expect((await refusal(kit.expectUntouched(carl), 'TEST_LEAK')).message).to.contain(`"${carl.schemaName}"."author"`);
    });

    it('K2 finds a change that was rolled back, one of a sequence, of a table and of the shared tables', async () => {
      await runInTenant(
        acme,
        em =>
          em.transactional(async tx => {
            await tx.persistAndFlush(tx.create(Author, { name: 'Ann' }));
            throw new Error('rolled back');
          }),
        { orm },
      ).catch(() => undefined);
      await refusal(kit.expectUntouched(acme), 'TEST_LEAK');

      await orm.em.getConnection().execute('select nextval(?)', [`"${bob.schemaName}".book_id_seq`]);
      expect((await refusal(kit.expectUntouched(bob), 'TEST_LEAK')).message).to.contain('book_id_seq');

      await kit.expectUntouched(carl);
      await orm.em.getConnection().execute(`alter table "${carl.schemaName}".tag add column extra int`);
      expect((await refusal(kit.expectUntouched(carl), 'TEST_LEAK')).message).to.contain(`."tag": made or changed`);

      await kit.expectUntouched('public');
      await runInPublic(em => em.persistAndFlush(em.create(Genre, { name: 'Crime', description: '' })), { orm });
      expect((await refusal(kit.expectUntouched('public'), 'TEST_LEAK')).message).to.contain('"public"."genre": 1 inserted');
    });

    it('K2 looks at what comes after the test is arranged', async () => {
      await addAuthor(bob);
      await kit.arranged();
      await addAuthor(acme);
      await kit.expectUntouched(bob, 'public');

      await addAuthor(bob);
      await refusal(kit.expectUntouched(bob), 'TEST_LEAK');
    });

    it('K2 finds a scope that code is still in, and an entity of another tenant', async () => {
      expectNoScope();
      const [authors, others] = await Promise.all(
        [acme, bob].map(async library => {
          await addAuthor(library);

          return runInTenant(library, em => em.find(Author, {}, { populate: ['books'] }), { orm });
        }),
      );
      expectTenantOf(authors, acme);
      expectTenantOf({ list: authors, count: 1 }, acme);

      expect((await refusal(() => expectTenantOf([authors, { deep: others }], acme), 'TEST_LEAK')).message).to.contain(
        `is of "${bob.schemaName}"`,
      );
      expect(
        (
          await refusal(
            runInTenant(acme, () => expectNoScope(), { orm }),
            'TEST_LEAK',
          )
        ).message,
      ).to.contain(`"${acme.schemaName}"`);
      await refusal(
        runInPublic(() => expectNoScope(), { orm }),
        'TEST_LEAK',
      );
    });
  });
}

describe('the clients of a tenant', () => {
  const tenant = { schemaName: 'acme', domainUrl: 'acme.example.com' };

  it('K1 send its host, a header or a path', async () => {
    const echo = createServer((incoming, answer) => {
      answer.setHeader('content-type', 'application/json');
      answer.end(JSON.stringify([incoming.method, incoming.headers.host, incoming.headers['x-tenant'] ?? null, incoming.url]));
    });
    const byHost = await asTenant(request(echo), tenant).post('/a').send({});
    const byHeader = await asTenant(request(echo), tenant, { header: 'X-Tenant' }).get('/b').set('Host', 'app.example.com');
    const byPath = await asTenant(request.agent(echo), tenant, { path: true }).get('/c').set('Host', 'app.example.com');

    expect([byHost.body, byHeader.body, byPath.body]).to.deep.equal([
      ['POST', 'acme.example.com', null, '/a'],
      ['GET', 'app.example.com', 'acme', '/b'],
      ['GET', 'app.example.com', null, '/acme/c'],
    ]);
  });

  it('K1 reach Fastify and Hono without a port', async () => {
    const fastify = Fastify();
    fastify.post('/a', async incoming => [incoming.headers.host, incoming.body]);
    const hono = new Hono();
    hono.post('/a', async context => context.json([context.req.header('host'), new URL(context.req.url).host, await context.req.text()]));

    const ofFastify = await inject(fastify, tenant)('/a', { method: 'POST', body: { one: 1 } });
    const ofHono = await inject(hono, tenant)('/a', { method: 'POST', body: { one: 1 } });

    expect(ofFastify.json()).to.deep.equal(['acme.example.com', { one: 1 }]);
    expect(await ofHono.json()).to.deep.equal(['acme.example.com', 'acme.example.com', '{"one":1}']);
    await fastify.close();
  });
});
