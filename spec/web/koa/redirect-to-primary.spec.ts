import { identify, primaryHostOf, tenantContext, type TenantContextOptions } from '@landlord/mikro-orm';
import Koa from 'koa';
import { expect } from 'chai';
import { once } from 'node:events';
import { request as send, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onDatabases } from '../../support/databases/database.ts';
import { FirmDomain, newFirm, openDomainOrm, type Firm } from '../../support/orm/domain-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';

onDatabases('a redirect to the primary domain', database => {
  let orm: SpecOrm;
  let port: number;
  let handled: string[];

  before(async () => {
    orm = await openDomainOrm(database);
    const em = orm.em.fork();
    const acme = newFirm('acme');
    acme.domains.add(new FirmDomain({ domain: 'acme.com', tenant: acme }), new FirmDomain({ domain: 'acme.org', tenant: acme }));
    await em.persistAndFlush([acme, newFirm('bob')]);
  });

  it('H17 is 308 with the same path and query, on each other host of the tenant and for each method; nothing is handled', async () => {
    await serve({ redirectToPrimary: true });

    for (const host of ['acme.org', 'acme.example.com', 'WWW.ACME.ORG:8080']) {
      for (const method of ['GET', 'POST', 'DELETE']) {
        const { status, headers } = await ask(host, { method, path: '/a%2Fb/c?d=%20e&f' });

        expect({ status, location: headers.location }, `${method} ${host}`).to.deep.equal({
          status: 308,
          location: '//acme.com/a%2Fb/c?d=%20e&f',
        });
        // a browser would keep it after the primary domain has changed
        expect(headers['cache-control']).to.equal('no-store');
      }
    }

    expect(handled).to.deep.equal([]);
  });

  it('H17 is for nobody on the primary domain, of a tenant without domains, on an unknown or public host, or without the option', async () => {
    await serve({ redirectToPrimary: true });

    expect((await ask('acme.com')).status).to.equal(200);
    expect((await ask('www.acme.com')).status).to.equal(200);
    expect((await ask('bob.example.com')).status).to.equal(200);
    expect((await ask('unknown.com')).status).to.equal(404);
    expect((await ask('localhost')).status).to.equal(200);

    await serve({});
    expect((await ask('acme.org')).status).to.equal(200);
  });

  it('H17 names a port only if one is given', async () => {
    await serve({ redirectToPrimary: { port: 3000 } });

    expect((await ask('acme.org:8080', { path: '/x' })).headers.location).to.equal('//acme.com:3000/x');
  });

  it('H17 leads to the stored host only, whatever the target of the request and its headers say', async () => {
    await serve({ redirectToPrimary: true });
    const targets = [
      '//evil.com/x',
      '/\\evil.com',
      '/@evil.com',
      '///evil.com',
      '/%0d%0aSet-Cookie:x',
      '/x?//evil.com',
      'http://acme.org//evil.com',
      'http://acme.org',
      'http://acme.org?x',
      '/..//evil.com',
    ];

    for (const path of targets) {
      const { status, headers } = await ask('acme.org', { path, headers: { 'X-Forwarded-Host': 'evil.com', Forwarded: 'host=evil.com' } });
      expect(status, path).to.equal(308);
      expect(new URL(headers.location ?? '', 'https://acme.org/').host, `${path} → ${headers.location}`).to.equal('acme.com');
      expect(headers).not.to.have.property('set-cookie');
    }

    // as a request without a framework may bring it
    for (const url of ['/é\u0001\n', '/\ud800', '*']) {
      const found = await identify({ headers: { host: 'acme.org' }, url }, { orm, redirectToPrimary: true });
      const { Location = '' } = found.kind === 'redirected' ? found.error.headers : {};
      expect(Location, JSON.stringify(url)).to.match(/^\/\/acme\.com\/[\u0021-\u007e]*$/);
    }
  });

  it('H17 is no sign of a tenant to whom `authorize` refuses it', async () => {
    await serve({ redirectToPrimary: true, authorize: () => false });

    const refused = await ask('acme.org');
    const unknown = await ask('acme.net');
    expect(refused.status).to.equal(404);
    expect(refused.headers).not.to.have.property('location');
    expect(refused.body.replace('acme.org', 'acme.net')).to.equal(unknown.body);
  });

  it('H17 follows the primary domain when that changes', async () => {
    await serve({ redirectToPrimary: true });
    expect((await ask('acme.com')).status).to.equal(200);
    const em = orm.em.fork();
    (await em.findOneOrFail(FirmDomain, { domain: 'acme.org' })).isPrimary = true;
    await em.flush();

    expect((await ask('acme.com')).headers.location).to.equal('//acme.org/');
    expect((await ask('acme.org')).body).to.equal('acme at acme.org');
  });

  async function serve(options: TenantContextOptions): Promise<void> {
    handled = [];
    const app = new Koa();
    app.use(tenantContext({ orm, ...options }));
    app.use(ctx => {
      handled.push(ctx.host);
      const tenant = ctx.state.tenant as Firm | undefined;
      ctx.body = tenant === undefined ? 'public' : `${tenant.schemaName} at ${primaryHostOf(tenant)}`;
    });
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    database.atEnd(() => new Promise(resolve => server.close(resolve)));
    port = (server.address() as AddressInfo).port;
  }

  /** Sends the target as it is. */
  async function ask(
    host: string,
    { method = 'GET', path = '/', headers = {} }: { method?: string; path?: string; headers?: Record<string, string> } = {},
  ): Promise<{ status: number; headers: IncomingMessage['headers']; body: string }> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      send({ port, host: '127.0.0.1', method, path, headers: { ...headers, Host: host }, agent: false }, resolve)
        .on('error', reject)
        .end();
    });
    const chunks: Buffer[] = await response.toArray();

    return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() };
  }
});
