import { bySubdomain, isHostServed, tlsCheck } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { until } from '../../support/assertions/until.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { proxyTo } from '../../support/faults/breakable-proxy.ts';
import { initLibrary, openLibrary, type LibraryOrm } from '../../support/orm/library-orm.ts';
import { createLibraries, hostOf } from '../../support/web/web-library.ts';
import { serveUntilSpecEnds } from '../../support/web/web-server.ts';

onDatabases(
  'tlsCheck',
  database => {
    let orm: LibraryOrm;
    const serve = serveUntilSpecEnds();

    before(async () => {
      orm = await openLibrary(database, { publicHosts: ['example.com'] });
      await createLibraries(orm, 'acme');
    });

    it('E5 answers 200 for hosts that are served and 404 for all others, without a query for what is known', async () => {
      const server = await serve(tlsCheck());
      const ask = async (query: string): Promise<number> => (await server.get('localhost', `/tls${query}`)).status;
      await until('changes are heard', async () => {
        database.statements.length = 0;
        await ask(`?domain=${hostOf('acme')}`);

        return database.statements.length === 0;
      });

      for (const domain of [hostOf('acme'), 'ACME.example.com', 'www.acme.example.com', 'example.com']) {
        expect(await ask(`?domain=${domain}`), domain).to.equal(200);
      }

      expect(database.statements).to.deep.equal([]);

      for (const query of [
        '',
        '?domain=',
        '?domain=nobody.test',
        `?domain=${hostOf('acme')}:443`,
        `?domain=${hostOf('acme')}&domain=example.com`,
        '?domain=a%20b',
      ]) {
        expect(await ask(query), query).to.equal(404);
      }
    });

    it('E5 a flood of made-up names takes few queries', async () => {
      database.statements.length = 0;
      const answers = await Promise.all(Array.from({ length: 300 }, (_, index) => isHostServed(`made-up-${index}.test`)));

      expect(answers).to.deep.equal(answers.map(() => false));
      expect(database.statements.length).to.be.lessThan(60);
    });

    it('E5 takes the resolvers of the application, and is 503 while the database is away', async () => {
      expect(await isHostServed('acme.apps.test', { resolvers: [bySubdomain('apps.test')] })).to.equal(true);
      expect(await isHostServed(hostOf('acme'), { resolvers: [bySubdomain('apps.test')] })).to.equal(false);
      const proxy = await proxyTo(database.url ?? '');
      const away = await initLibrary(database, {}, { clientUrl: proxy.url });
      const server = await serve(tlsCheck({ orm: away }));
      await proxy.cut();

      try {
        const answer = await server.get('localhost', `/?domain=${hostOf('acme')}`);

        expect(answer.status).to.equal(503);
        expect(answer.headers['retry-after']).to.match(/^\d+$/);
      } finally {
        await proxy.mend();
        await away.close();
        await proxy.close();
      }
    });
  },
  ['postgresql'],
);
