import { forEachTenant, identify, runAs, runInPublic, runInTenant, TenantMixin, tenants, type TenantsOptions } from '@landlord/mikro-orm';
import { observeTenants, TenantSpanProcessor, type ObserveTenantsOptions } from '@landlord/mikro-orm/opentelemetry';
import { SpanStatusCode } from '@opentelemetry/api';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { setTimeout as delay } from 'node:timers/promises';
import { failureOf } from '../support/assertions/failure.ts';
import { onDatabases } from '../support/databases/database.ts';
import { effort } from '../support/generators/effort.ts';
import { CreateNote, Note, openNoteOrm } from '../support/orm/note-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';
import { sqlMigration } from '../support/orm/tenant-set.ts';
import { openTelemetry } from '../support/web/telemetry.ts';

class Firm extends TenantMixin {}
defineEntity({ class: Firm, extends: TenantMixin, properties: {} });

onDatabases('OpenTelemetry', database => {
  const set: { name: string; class: any }[] = [{ name: 'First', class: CreateNote }];
  let orm: SpecOrm;
  let telemetry: ReturnType<typeof openTelemetry>;
  let stop: () => void = () => undefined;

  before(async () => {
    const options: Partial<TenantsOptions<any>> = { limits: { concurrency: 1, queue: 0 }, migrations: { migrationsList: set } };
    orm = await openNoteOrm(database, Firm, options);
  });

  beforeEach(() => {
    telemetry = openTelemetry(new TenantSpanProcessor());
  });

  afterEach(async () => {
    stop();
    await telemetry.close();
  });

  it('J4 a span for each creation, migration, rename and drop, with the tenant’s name, and what has failed', async () => {
    observe();
    await create('acme');
    await create('bob');
    await database.query('create schema taken');
    await failureOf(create('taken'));
    set.push(sqlMigration('Second', 'create table shelf (id serial primary key)'));
    await tenants(orm).migrate();
    set.pop();
    await tenants(orm).rename('bob', 'bobby');
    await tenants(orm).drop('bobby');

    const spans = telemetry.spans.getFinishedSpans();
    const named = (name: string): string[] =>
      spans.filter(each => each.name === name).map(({ attributes }) => String(attributes['landlord.tenant']));
    expect(named('tenant.create')).to.deep.equal(['acme', 'bob', 'taken']);
    expect(named('tenant.migrate').toSorted()).to.deep.equal(['acme', 'bob']);
    expect(named('tenant.rename')).to.deep.equal(['bobby']);
    expect(named('tenant.drop')).to.deep.equal(['bobby']);
    const failed = spans.filter(({ status }) => status.code === SpanStatusCode.ERROR);
    expect(failed.map(({ name, status }) => [name, status.message?.includes('already exists')])).to.deep.equal([['tenant.create', true]]);
    const run = spans.find(({ name }) => name === 'tenant.migrations')!;
    expect(spans.filter(({ name }) => name === 'tenant.migrate').map(({ parentSpanContext }) => parentSpanContext?.spanId)).to.deep.equal(
      Array.from({ length: 2 }, () => run.spanContext().spanId),
    );
    expect(run.attributes).to.deep.equal({});
    await database.query('drop schema taken');
  });

  it('J4 the span of a request gets its tenant, each span in a scope too, and one that serves several gets none of theirs', async () => {
    observe();
    await create('carl');
    const tracer = telemetry.tracerProvider.getTracer('the application');
    const inSpan = <Result>(name: string, fn: () => Promise<Result>): Promise<Result> =>
      tracer.startActiveSpan(name, async span => {
        try {
          return await fn();
        } finally {
          span.end();
        }
      });
    const request = (host: string): Promise<void> =>
      inSpan(`GET ${host}`, async () => {
        const found = await identify({ headers: { host } });
        await runAs(found, async () => {
          await delay(1);
          tracer.startSpan(`query of ${host}`).end();
        });
      });

    await Promise.all([request('acme.example.com'), request('carl.example.com'), request('acme.example.com'), request('localhost')]);
    await inSpan('job', () => forEachTenant(async em => em.count(Note, {})));
    await inSpan('nested', () => runInTenant('acme', () => runInTenant('acme', () => runInPublic(() => undefined))));

    const seen = telemetry.spans.getFinishedSpans().map(({ name, attributes }) => `${name}: ${String(attributes['landlord.tenant'])}`);
    expect(seen.filter(each => each.startsWith('GET')).toSorted()).to.deep.equal([
      'GET acme.example.com: acme',
      'GET acme.example.com: acme',
      'GET carl.example.com: carl',
      'GET localhost: undefined',
    ]);
    expect(seen.filter(each => each.startsWith('query')).toSorted()).to.deep.equal([
      'query of acme.example.com: acme',
      'query of acme.example.com: acme',
      'query of carl.example.com: carl',
      'query of localhost: undefined',
    ]);
    expect(seen).to.include.members(['job: *', 'nested: acme']);
    expect(seen.filter(each => each.startsWith('tenant.resolve')).every(each => /: (acme|carl)$/.test(each))).to.equal(true);
  });

  it('J4 counts resolutions by outcome, look-ups, scopes, operations and what limits refuse', async () => {
    observe();
    const before = await telemetry.series();
    const hosts = ['acme.example.com', 'acme.example.com', 'nobody.example.com', 'localhost', 'no body'];

    for (const host of hosts) {
      await identify({ headers: { host } });
    }

    await runInTenant('acme', em =>
      em.transactional(async () => {
        const now = await telemetry.series();
        expect(now.get('landlord.scopes.active{kind=tenant}')).to.equal(1);
        expect(now.get('landlord.limits.connections{state=used}')).to.equal(1);
        expect(now.get('landlord.limits.connections{state=waiting}')).to.equal(0);
      }),
    );
    const series = await telemetry.series();
    const grown = (name: string): number => (series.get(name) ?? 0) - (before.get(name) ?? 0);

    expect(grown('landlord.resolutions{outcome=tenant}')).to.equal(2);
    expect(grown('landlord.resolutions{outcome=HOST_UNKNOWN}')).to.equal(1);
    expect(grown('landlord.resolutions{outcome=HOST_INVALID}')).to.equal(1);
    expect(grown('landlord.resolutions{outcome=public}')).to.equal(1);
    expect(grown('landlord.scopes{kind=tenant}')).to.equal(1);
    expect(series.get('landlord.scopes.active{kind=tenant}')).to.equal(0);
    expect(series.get('landlord.directory.entries{kind=tenant}')).to.be.above(0);
    expect(grown('landlord.directory.lookups{result=hit}')).to.be.above(0);
    expect(series.get('landlord.limits.connections{state=used}')).to.equal(0);
    expect([...series.keys()]).to.include.members(['landlord.limits.refusals{reason=queue}', 'landlord.limits.refusals{reason=timeout}']);
  });

  it('J4 there are as many series and labels with many tenants as with ten, unless a label is asked for', async () => {
    observe();
    const work = async (from: number, to: number): Promise<void> => {
      for (let index = from; index < to; index += 1) {
        const schemaName = `t${index}`;
        // what the library tells, as for so many tenants
        await identify({ headers: { host: `${schemaName}.example.com` } });
        observer().entered({ kind: 'tenant', schemaName }, () => undefined);
        observer().migrated({ schemaName, durationMs: 1 });
        observer().resolved({ outcome: 'tenant', schemaName, startedAt: Date.now(), hasWaited: false });
        await observer().operation({ name: 'create', schemaName }, async () => undefined);
      }
    };
    await work(0, 10);
    const few = [...(await telemetry.series()).keys()].toSorted();
    await work(10, effort(300, 10_000));
    const many = [...(await telemetry.series()).keys()].toSorted();

    expect(many).to.deep.equal(few);
    expect(many.join()).to.not.match(/\bt\d/);

    stop();
    observe({ tenantLabel: true, attribute: 'tenant' });
    await work(0, 3);
    expect([...(await telemetry.series()).keys()]).to.include.members([
      'landlord.scopes{kind=tenant,tenant=t2}',
      'landlord.resolutions{outcome=tenant,tenant=t0}',
    ]);
  });

  it('J4 tells nothing once it is stopped, and nothing of another ORM', async () => {
    observe();
    await runInTenant('acme', () => undefined);
    const before = (await telemetry.series()).get('landlord.scopes{kind=tenant}');
    stop();
    await runInTenant('acme', () => undefined);
    await create('later');

    expect((await telemetry.series()).get('landlord.scopes{kind=tenant}')).to.equal(before);
    expect(telemetry.spans.getFinishedSpans().filter(({ name }) => name === 'tenant.create')).to.deep.equal([]);
  });

  function observe(options: Partial<ObserveTenantsOptions> = {}): void {
    stop = observeTenants({ orm, tracerProvider: telemetry.tracerProvider, meterProvider: telemetry.meterProvider, ...options });
  }

  /** What the library tells of what it does. */
  function observer(): any {
    return (orm.config.getExtension('@landlord/mikro-orm/rules') as { readonly observer: unknown }).observer;
  }

  function create(name: string): Promise<unknown> {
    return tenants<Firm>(orm).create({ schemaName: name, domainUrl: `${name}.example.com` });
  }
});
