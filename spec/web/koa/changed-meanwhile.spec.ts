import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { currentTenant, schemaRouter, tenantContext, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import Koa from 'koa';
import { Author } from '../../../fixtures/entities/index.ts';
import { Gate } from '../../support/assertions/gate.ts';
import { until } from '../../support/assertions/until.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { openLibrary, type LibraryOrm } from '../../support/orm/library-orm.ts';
import { openBeside } from '../../support/orm/open-orm.ts';
import { authorsHere, createLibraries } from '../../support/web/web-library.ts';
import { serve, type WebServer } from '../../support/web/web-server.ts';

for (const who of ['this process', 'another'] as const) {
  onDatabases(
    `requests of tenants whose names ${who} swaps meanwhile`,
    database => {
      let orm: LibraryOrm;
      let other: LibraryOrm;
      let web: WebServer;
      const gate = new Gate();

      before(async () => {
        orm = await openLibrary(database);
        await createLibraries(orm, 'acme', 'bob');
        other = who === 'another' ? await openBeside(database, orm, {}) : orm;
        const app = new Koa();
        const routes = async (ctx: Koa.Context): Promise<void> => {
          if (ctx.path === '/events') {
            ctx.body = Readable.from(events());
          } else if (ctx.path === '/later') {
            await gate.pass();
            await orm.em.insert(Author, { name: `written for ${currentTenant()?.schemaName}` });
            ctx.body = await authorsHere(orm);
          } else {
            ctx.body = await authorsHere(orm);
          }
        };
        app.use(tenantContext({ orm })).use(schemaRouter({ public: routes, tenant: routes }));
        web = await serve(app);
        // so that it listens, and what it holds is trusted for long
        await web.get('acme.example.com');
        await web.get('bob.example.com');
      });

      after(async () => {
        await web.close();
        await (other === orm ? undefined : other.close());
        await orm.close();
      });

      it('S12, H10 what is under way is answered with 503 and stores nothing, and who asks again is served its own', async () => {
        const later = web.get('acme.example.com', '/later');
        await until('it is under way', () => gate.waiting === 1);
        await swap();
        gate.open();
        const answer = await later;

        expect([answer.status, answer.headers['retry-after'], answer.body]).to.deep.equal([503, '1', 'Service Unavailable']);
        await until('each host is served its own', async () => {
          const bodies = await Promise.all(['acme', 'bob'].map(async name => (await web.get(`${name}.example.com`)).body));

          return bodies.join() === '["Ann of acme"],["Ann of bob"]';
        });
      });

      it('S12, H9 a stream of events breaks off, and has had no event of the other', async () => {
        const lines: string[] = [];
        const body = await web.open('acme.example.com', '/events');
        const ended = (async () => {
          for await (const line of createInterface(body)) {
            lines.push(line);
          }
        })().catch(() => undefined);
        body.on('error', () => undefined);
        await until('it streams', () => lines.length >= 3);
        await swap();
        await ended;
        await until('it is told', () => web.errors.length > 0);

        expect(new Set(lines)).to.deep.equal(new Set(['Ann of acme']));
        expect(web.errors.at(-1)).to.include({ code: 'TENANT_CHANGED' });
      });

      async function* events(): AsyncGenerator<string> {
        for (;;) {
          yield `${String(await authorsHere(orm))}\n`;
          await new Promise(resolve => setTimeout(resolve, 2));
        }
      }

      async function swap(): Promise<void> {
        await tenants(other).rename('acme', 'elsewhere');
        await tenants(other).rename('bob', 'acme');
        await tenants(other).rename('elsewhere', 'bob');
      }
    },
    ['postgresql', 'pglite'],
  );
}
