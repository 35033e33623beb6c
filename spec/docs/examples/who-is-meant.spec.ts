import { byHostname, runInTenant, tenantContext, tenants, type TenantMixin } from '@landlord/mikro-orm';
import { expect } from 'chai';
import Koa from 'koa';
import { fastifyWithoutPrefix, fastifyWithPrefix, honoWithoutPrefix, honoWithPrefix } from '../../../docs/examples/who-is-meant/paths.ts';
import {
  behindGateway,
  certificates,
  chained,
  forKeys,
  forMembers,
  forTokens,
  invitation,
  mounted,
} from '../../../docs/examples/who-is-meant/resolvers.ts';
import { app as withSessions, signIn, userOf } from '../../../docs/examples/who-is-meant/sessions.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { onLibraries } from '../../support/testing/on-libraries.ts';
import { hostOf } from '../../support/web/web-library.ts';
import { serveUntilSpecEnds } from '../../support/web/web-server.ts';

onLibraries('the page on who is meant', {}, libraries => {
  const serve = serveUntilSpecEnds();

  it('H6 E3 each resolver finds the tenant that the page says', async () => {
    const [acme] = await tenants(libraries.orm).list({ where: { schemaName: 'acme' } });
    const of = async (app: Koa, host: string, headers: Record<string, string> = {}, path = '/'): Promise<string> => {
      app.use(ctx => void (ctx.body = `${ctx.state.tenant?.schemaName ?? 'public'} ${ctx.path}`));
      const server = await serve(app);
      const { status, body } = await server.get(host, path, { headers });

      return status === 200 ? body : String(status);
    };

    expect(await of(chained, 'acme.example.com')).to.equal('acme /');
    expect(await of(behindGateway, 'api.test', { 'x-tenant': 'bob' })).to.equal('bob /');
    expect(await of(behindGateway, 'acme.example.com')).to.equal('404');
    expect(await of(mounted, 'localhost', {}, '/t/bob/books')).to.equal('bob /books');
    expect(await of(forTokens, 'api.test', { 'x-user': JSON.stringify({ tenantId: acme?.id }) })).to.equal('acme /');
    expect(await of(forKeys, 'api.test', { 'x-api-key': 'bob.secret' })).to.equal('bob /');
    expect(await of(forMembers, hostOf('acme'), { 'x-user': JSON.stringify({ tenants: ['acme'] }) })).to.equal('acme /');
    expect(await of(forMembers, hostOf('bob'), { 'x-user': JSON.stringify({ tenants: ['acme'] }) })).to.equal('404');
  });

  it('H6 E1 a path names the tenant in Fastify and Hono, with and without the prefix of the routes', async () => {
    const answers: unknown[] = [];

    for (const create of [fastifyWithoutPrefix, fastifyWithPrefix]) {
      const app = await create();

      for (const url of ['/t/acme/books', '/t/bob/books', '/books']) {
        const { statusCode, body } = await app.inject({ url });
        answers.push(statusCode === 200 ? body : statusCode);
      }

      await app.close();
    }

    for (const app of [honoWithoutPrefix(), honoWithPrefix()]) {
      for (const url of ['/t/acme/books', '/t/bob/books', '/books']) {
        const answer = await app.request(url, { headers: { host: 'localhost' } });
        answers.push(answer.status === 200 ? await answer.text() : answer.status);
      }
    }

    expect(answers).to.deep.equal(Array.from({ length: 4 }, () => ['Books of acme', 'Books of bob', 404]).flat());
  });

  it('H14 E5 URLs are of the tenant, and certificates are for hosts that are served', async () => {
    const url = await runInTenant('acme', (_, tenant) => invitation(tenant as TenantMixin));
    const server = await serve(certificates);

    expect(url).to.equal('https://acme.example.com/join?from=mail');
    expect((await server.get('localhost', '/?domain=acme.example.com')).status).to.equal(200);
    expect((await server.get('localhost', '/?domain=nobody.test')).status).to.equal(404);
  });

  it('E4 tokens and sessions of one tenant are refused on another', async () => {
    const token = await runInTenant('acme', () => signIn(1));

    expect(await runInTenant('acme', () => userOf(token))).to.equal(1);
    expect(await failureOf(runInTenant('bob', () => userOf(token)))).to.include({ code: 'TENANT_MISMATCH' });

    withSessions.use(ctx => {
      const session = ctx['session'] as { visits?: number };
      session.visits = (session.visits ?? 0) + 1;
      ctx.body = String(session.visits);
    });
    const server = await serve(withSessions);
    const first = await server.get(hostOf('acme'));
    const cookie = (first.headers['set-cookie'] ?? []).map(each => each.split(';', 1)[0]).join('; ');

    expect((await server.get(hostOf('acme'), '/', { headers: { cookie } })).body).to.equal('2');
    expect((await server.get(hostOf('bob'), '/', { headers: { cookie } })).body).to.equal('1');
  });

  it('H6 without resolvers the host decides', async () => {
    const bodies = await Promise.all(
      [{}, { resolvers: [byHostname()] }].map(async options => {
        const server = await serve(new Koa().use(tenantContext(options)).use(ctx => void (ctx.body = ctx.state.tenant?.schemaName)));

        return (await server.get(hostOf('bob'))).body;
      }),
    );

    expect(bodies).to.deep.equal(['bob', 'bob']);
  });
});
