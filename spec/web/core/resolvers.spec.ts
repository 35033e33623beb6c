import { setImmediate } from 'node:timers/promises';
import {
  byClaim,
  byHeader,
  byHostname,
  byPath,
  bySubdomain,
  currentSchema,
  currentTenant,
  identify,
  runAs,
  runInPublic,
  runInTenant,
  tenants,
  type IdentifyOptions,
  type WebRequest,
} from '@landlord/mikro-orm';
import { expect } from 'chai';
import { failureOf } from '../../support/assertions/failure.ts';
import { until } from '../../support/assertions/until.ts';
import { newLibrary } from '../../support/orm/library-orm.ts';
import { onLibraries } from '../../support/testing/on-libraries.ts';
import { authorsHere, hostOf } from '../../support/web/web-library.ts';

onLibraries('who is meant by a request', { publicHosts: ['example.com'] }, libraries => {
  before(() => libraries.orm.em.fork().persistAndFlush(newLibrary('public', { domainUrl: 'front.example.com' })));

  it('H6 H20 identify and runAs serve a request of any server: the tenant, the public scope, or the error that the visitor is told', async () => {
    const found = await identify(request(hostOf('acme')));

    expect(found).to.include({ kind: 'tenant', schemaName: 'acme', mountPath: undefined });
    expect(await runAs(found, async () => [currentSchema(), await authorsHere(libraries.orm)])).to.deep.equal(['acme', ['Ann of acme']]);
    expect(runAs(found, () => currentTenant())).to.equal(found.kind === 'tenant' && found.tenant);
    expect(currentTenant()).to.equal(undefined);
    expect(runAs(await identify(request('example.com')), currentSchema)).to.equal('public');
    expect(await identify(request('front.example.com'))).to.include({ kind: 'public' });

    for (const [host, kind, code, status] of [
      ['nobody.test', 'unknown', 'HOST_UNKNOWN', 404],
      ['no body', 'refused', 'HOST_INVALID', 400],
    ] as const) {
      const none = await identify(request(host));

      expect(none).to.have.property('kind', kind);
      expect(none).to.have.property('error').that.deep.includes({ code, status, expose: true });
      expect(await failureOf(async () => runAs(none, () => 'served'))).to.have.property('code', code);
    }

    expect(await failureOf(async () => runAs({ kind: 'tenant', schemaName: 'acme' } as never, () => 'served'))).to.have.property(
      'code',
      'NO_TENANT_CONTEXT',
    );
  });

  it('H6 S3 two hundred identified at once run as their own tenant each, however their flows cross', async () => {
    const served = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const name = index % 2 === 0 ? 'acme' : 'bob';
        const found = await identify(request(hostOf(name)));

        return runAs(found, async () => {
          await setImmediate();
          const inner = await runAs(await identify(request(hostOf(name === 'acme' ? 'bob' : 'acme'))), async () => currentSchema());

          return inner !== name && currentSchema() === name && (await authorsHere(libraries.orm)).join() === `Ann of ${name}`;
        });
      }),
    );

    expect(served.filter(isOwn => !isOwn)).to.have.length(0);
  });

  it('H6 finds a tenant by each resolver, and leaves what it does not know to the next', async () => {
    const resolvers = [
      byHeader('X-Tenant', { trusted: true }),
      byPath('/t/:tenant'),
      byClaim((context: Context) => context.user?.tenant),
      bySubdomain('apps.test'),
      byHostname(),
    ];
    const of = async (given: Partial<WebRequest>, context: Context = {}): Promise<string> =>
      outcomeOf({ headers: { host: hostOf('acme') }, url: '/', ...given }, { resolvers }, context);

    expect(await of({ headers: { host: 'x.test', 'x-tenant': 'bob' } })).to.equal('bob');
    expect(await of({ url: '/t/bob/books?page=2' })).to.equal('bob at /t/bob');
    expect(await of({ url: '/t/%62ob' })).to.equal('bob at /t/%62ob');
    expect(await of({}, { user: { tenant: 'bob' } })).to.equal('bob');
    expect(await of({ headers: { host: 'BOB.apps.test:8080' } })).to.equal('bob');
    expect(await of({})).to.equal('acme');
    // what names nobody
    expect(await of({ headers: { host: hostOf('acme'), 'x-tenant': '' }, url: '/t', httpVersionMajor: 1 })).to.equal('acme');
    expect(await of({ url: '/t//books' })).to.equal('acme');
    expect(await of({ url: '/T/bob' })).to.equal('acme');
    expect(await of({ headers: { host: 'a.bob.apps.test' } })).to.equal('unknown HOST_UNKNOWN');
    expect(await of({ headers: { host: 'apps.test' } })).to.equal('unknown HOST_UNKNOWN');
    expect(await of({ headers: { host: 'xapps.test' } })).to.equal('unknown HOST_UNKNOWN');
    expect(await outcomeOf(request('example.com'), { resolvers: [bySubdomain('com')] })).to.equal('public');
  });

  it('H6 a name that no tenant has is unknown, and no other resolver is asked', async () => {
    let asked = 0;
    const resolvers = [byHeader('x-tenant', { trusted: true }), () => void (asked += 1), byHostname()];
    const hostile = ['nobody', 'ACME', 'public"', "'; drop schema acme; --", 'a\0b', '\ud800', 'x'.repeat(70_000), 'acme, bob', ' acme'];

    for (const name of hostile) {
      expect(await outcomeOf({ headers: { host: hostOf('acme'), 'x-tenant': name } }, { resolvers }), name.slice(0, 20)).to.equal(
        'unknown TENANT_NOT_SERVED',
      );
    }

    expect(asked).to.equal(0);
    // sent twice, it may have been another one for whoever looked at it before
    const twice = ['Host', hostOf('acme'), 'X-Tenant', 'bob', 'X-TENANT', 'bob'];
    expect(await outcomeOf({ headers: { host: hostOf('acme'), 'x-tenant': 'bob, bob' }, rawHeaders: twice }, { resolvers })).to.equal(
      'acme',
    );
    expect(asked).to.equal(1);
  });

  it('H6 a resolver that throws or answers nonsense is a 500 with its cause, never another tenant and never the public scope', async () => {
    const cause = new Error('the token cannot be read');
    const fails = [
      () => {
        throw cause;
      },
      async () => {
        await setImmediate();
        throw cause;
      },
      byClaim(() => Promise.reject(cause)),
      byClaim(() => {
        throw cause;
      }),
    ];

    for (const resolver of fails) {
      for (const resolvers of [
        [resolver, byHostname()],
        [() => undefined, resolver, byHostname()],
      ]) {
        const error = await failureOf(async () => identify(request(hostOf('acme')), { resolvers, notFound: 'public' }));

        expect(error).to.include({ code: 'RESOLVER_FAILED', status: 500, expose: false, cause });
        expect(String(error)).to.not.contain('token');
      }
    }

    for (const answer of [
      'acme',
      null,
      1,
      {},
      { property: 'schemaName' },
      { value: 'acme' },
      { property: 'schemaName', value: {} },
      false,
    ]) {
      const error = await failureOf(async () => identify(request(hostOf('acme')), { resolvers: [() => answer as never, byHostname()] }));

      expect(error, JSON.stringify(answer)).to.have.property('code', 'RESOLVER_FAILED');
    }
  });

  it('H6 refuses resolvers that cannot tell one tenant from another, or would let visitors choose', async () => {
    expect(() => byHeader('x-tenant', undefined as never))
      .to.throw('anybody can send this header')
      .with.property('code', 'RESOLVER_INVALID');
    expect(() => byHeader('x-tenant', { trusted: 'yes' } as never))
      .to.throw()
      .with.property('code', 'RESOLVER_INVALID');
    expect(() => bySubdomain('https://example.com'))
      .to.throw()
      .with.property('code', 'RESOLVER_INVALID');

    for (const pattern of ['t/:tenant', '/t', '/:a/:b', '/t/:tenant/*', '/t/x:tenant', '']) {
      expect(() => byPath(pattern), pattern)
        .to.throw()
        .with.property('code', 'RESOLVER_INVALID');
    }

    for (const property of ['name', 'nothing', 'constructor', 'settings', '__proto__']) {
      const error = await failureOf(async () =>
        identify({ headers: { 'x-t': 'x' } }, { resolvers: [byHeader('x-t', { trusted: true, property })] }),
      );

      expect(error, property).to.have.property('code', 'RESOLVER_INVALID');
    }
  });

  it('H6 names tenants by their key too, and values that the database would reject reach it never', async () => {
    const [acme] = await libraries.query<{ id: number }>(`select id from public.library where schema_name = 'acme'`);
    const id = String(acme?.id);
    const resolvers = [byHeader('x-id', { trusted: true, property: 'id' })];
    const of = (value: string): Promise<string> => outcomeOf({ headers: { 'x-id': value } }, { resolvers });

    // together, they would be one query
    const values = ['x', '1e3', '-1', '01', '2147483648', '9'.repeat(30), `${id}.0`, `${id} `, 'NaN', "1'"];
    expect(await Promise.all([of(id), ...values.map(of), of(id)])).to.deep.equal([
      'acme',
      ...values.map(() => 'unknown TENANT_NOT_SERVED'),
      'acme',
    ]);
    expect(await outcomeOf(request('x.test'), { resolvers: [byClaim(() => Number(id), { property: 'id' })] })).to.equal('acme');
  });

  it('H6 H10 no query for what is known, by whichever property; a change by this process is seen at once', async () => {
    const resolvers = [byHeader('x-tenant', { trusted: true })];
    const of = (name: string): Promise<string> => outcomeOf({ headers: { 'x-tenant': name } }, { resolvers });
    await until('changes are heard', async () => {
      libraries.statements.length = 0;
      await of('bob');

      return libraries.statements.length === 0;
    });

    expect(identify({ headers: { 'x-tenant': 'bob' } }, { resolvers })).to.not.be.instanceOf(Promise);
    expect(libraries.statements).to.deep.equal([]);
    await runInPublic(() => tenants(libraries.orm).create({ name: 'Carol', domainUrl: 'carol.test', schemaName: 'carol' }));
    expect(await of('carol')).to.equal('carol');
    await tenants(libraries.orm).rename('carol', 'carla');
    expect(await of('carol')).to.equal('unknown TENANT_NOT_SERVED');
    expect(await of('carla')).to.equal('carla');
    await tenants(libraries.orm).drop('carla');
    expect(await of('carla')).to.equal('unknown TENANT_NOT_SERVED');
  });

  it('H6 E3 authorize runs in the tenant’s scope, decides on true alone, and what it throws is its own', async () => {
    const seen: unknown[] = [];
    const authorize = (answer: unknown) => async (_context: unknown, tenant: object) => {
      seen.push([currentSchema(), currentTenant() === tenant, await authorsHere(libraries.orm)]);

      return answer as boolean;
    };
    const of = (answer: unknown, options: IdentifyOptions = {}): Promise<string> =>
      outcomeOf(request(hostOf('acme')), { authorize: authorize(answer), ...options });

    expect(await of(true)).to.equal('acme');
    expect(seen).to.deep.equal([['acme', true, ['Ann of acme']]]);

    for (const answer of [false, undefined, null, 0, 1, 'yes']) {
      expect(await of(answer), String(answer)).to.equal('unknown HOST_UNKNOWN');
    }

    expect(await of(false, { forbiddenStatus: 403 })).to.equal('refused TENANT_FORBIDDEN');
    expect(await of(false, { notFound: 'public' })).to.equal('public');
    const error = await failureOf(async () =>
      identify(request(hostOf('acme')), {
        authorize: () => {
          throw Object.assign(new Error('sign in'), { status: 401 });
        },
      }),
    );
    expect(error).to.include({ message: 'sign in', status: 401 });
    expect(currentTenant()).to.equal(undefined);
  });

  it('S12 who was identified runs as that tenant or fails: not as the one that has its name later', async () => {
    await runInPublic(() => tenants(libraries.orm).create({ name: 'Dora', domainUrl: 'dora.test', schemaName: 'dora' }));
    const found = await identify(request('dora.test'));
    await tenants(libraries.orm).rename('dora', 'dolly');
    await runInPublic(() => tenants(libraries.orm).create({ name: 'Other', domainUrl: 'other.test', schemaName: 'dora' }));
    await runInTenant('dora', () => authorsHere(libraries.orm));

    expect(await failureOf(async () => runAs(found, () => authorsHere(libraries.orm)))).to.have.property('code', 'TENANT_CHANGED');
    await tenants(libraries.orm).drop('dora');
    await tenants(libraries.orm).drop('dolly');
  });

  async function outcomeOf(given: WebRequest, options: IdentifyOptions<any>, context?: unknown): Promise<string> {
    const found = await identify(given, options, context);

    if (found.kind === 'tenant') {
      expect(runAs(found, currentSchema)).to.equal(found.schemaName);

      return found.schemaName + (found.mountPath === undefined ? '' : ` at ${found.mountPath}`);
    }

    return found.kind === 'public' ? 'public' : `${found.kind} ${found.error.code}`;
  }
});

function request(host: string): WebRequest {
  return { headers: { host }, url: '/' };
}

interface Context {
  readonly user?: { readonly tenant: string };
}
