import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { FirmDomain, newFirm, openDomainOrm } from '../support/orm/domain-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';
import { FRAMEWORKS } from '../support/web/frameworks/all.ts';
import { send } from '../support/web/http.ts';

onDatabases(
  'the edges',
  database => {
    let orm: SpecOrm;

    before(async () => {
      orm = await openDomainOrm(database);
      const acme = newFirm('acme');
      acme.domains.add(new FirmDomain({ domain: 'acme.com', tenant: acme }), new FirmDomain({ domain: 'acme.org', tenant: acme }));
      await orm.em.fork().persistAndFlush(acme);
    });

    for (const framework of FRAMEWORKS) {
      it(`H17 ${framework.name} sends a request on another host to the primary domain, known or not, and serves it there`, async () => {
        const server = await framework.serve({ orm, options: { redirectToPrimary: true } });

        for (const host of ['acme.org', 'acme.example.com', 'acme.org']) {
          const { status, headers } = await send({ port: server.port, method: 'POST', path: '/scope?a=%20b', headers: { host } });

          expect({ status, location: headers['location'], cache: headers['cache-control'] }, host).to.deep.equal({
            status: 308,
            location: '//acme.com/scope?a=%20b',
            cache: 'no-store',
          });
        }

        expect(await send({ port: server.port, path: '/scope', headers: { host: 'acme.com' } })).to.include({ status: 200 });
        expect(await send({ port: server.port, path: '/scope', headers: { host: 'acme.net' } })).to.include({ status: 404 });
        await server.close();
      });
    }
  },
  ['postgresql', 'pglite'],
);
