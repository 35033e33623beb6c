import { DomainMixin, forEachTenant, identify, primaryHostOf, tenants, TenantMixin, type IdentifiedAsTenant } from '@landlord/mikro-orm';
import { defineEntity, IsolationLevel, p } from '@mikro-orm/core';
import { expect } from 'chai';
import pg from 'pg';
import { refusal } from '../support/assertions/refusal.ts';
import { until } from '../support/assertions/until.ts';
import { onDatabases } from '../support/databases/database.ts';
import { TenantHosts } from '../../dist/database/tenant-hosts.js';
import { Firm, FirmDomain, FirmDomainSchema, FirmSchema, newFirm, openDomainOrm } from '../support/orm/domain-orm.ts';
import { CreateNote, Note } from '../support/orm/note-orm.ts';
import { openOrm, type SpecOrm } from '../support/orm/open-orm.ts';
import { visitorOf, type Visit } from '../support/web/visitor.ts';

onDatabases('tenants with several hosts', database => {
  let orm: SpecOrm;
  /** Of another process, as far as the library can tell. */
  let other: SpecOrm;
  let visit: (host: string) => Promise<Visit>;
  let visitOther: typeof visit;

  before(async () => {
    orm = await openDomainOrm(database, { publicHosts: ['www.firms.com'] });
    other = await openOrm(
      database,
      { tenant: FirmSchema.class, domains: FirmDomainSchema.class, migrations: { migrationsList: [CreateNote] } },
      { entities: [FirmSchema, FirmDomainSchema, Note] },
    );
    visit = visitorOf(orm);
    visitOther = visitorOf(other);
    await orm.em.fork().persistAndFlush([newFirm('acme'), newFirm('bob')]);
    await add('acme', 'acme.com', 'acme.org');
    await add('bob', 'bob.com');
  });

  it('H15 are found by their `domainUrl` and by each of their domains, and by no host of another', async () => {
    for (const [host, served] of [
      ['acme.example.com', 'acme'],
      ['acme.com', 'acme'],
      ['WWW.Acme.org.', 'acme'],
      ['bob.com', 'bob'],
      ['bob.example.com', 'bob'],
      ['acme.net', 'HOST_UNKNOWN'],
      ['firms.com', 'public'],
    ] as const) {
      expect((await visit(host)).served, host).to.equal(served);
    }
  });

  it('H15 law 1: a host leads to its own tenant, if another one takes its name while it is looked up', async () => {
    await orm.em.fork().persistAndFlush(newFirm('erin'));
    await add('erin', 'erin.com');
    const find = Reflect.get(TenantHosts.prototype, 'find') as (
      this: TenantHosts,
      ...args: Parameters<TenantHosts['find']>
    ) => ReturnType<TenantHosts['find']>;
    const seen: string[] = [];
    let isSwapped = false;

    // between the statement that finds the host and the one that reads its tenant
    TenantHosts.prototype.find = async function (this: TenantHosts, ...args) {
      const found = await find.apply(this, args);

      if (!isSwapped && args[0].includes('erin.com')) {
        isSwapped = true;
        await tenants(other).rename('erin', 'erin_then');
        await tenants(other).create({ schemaName: 'erin', domainUrl: 'not-erin.example.com' });
      }

      return found;
    };

    try {
      const [fresh] = await counting();
      seen.push((await fresh('erin.com')).served);

      // one connection cannot serve another one meanwhile
      if (database.url !== undefined) {
        await tenants(other).drop('erin');
        await tenants(other).rename('erin_then', 'erin');
        isSwapped = false;
        seen.push(await orm.em.fork().transactional(async () => (await visit('erin.com')).served));
      }
    } finally {
      TenantHosts.prototype.find = find;
    }

    expect(new Set(seen)).to.deep.equal(new Set(['erin_then']));
    expect((await visit('not-erin.example.com')).served).to.equal('erin');
    await tenants(orm).drop('erin');
    await tenants(orm).drop('erin_then');
  });

  it('H15 are looked up in one batch, and then by no query', async () => {
    const known = ['acme.example.com', 'acme.com', 'acme.org', 'bob.example.com', 'bob.com'];
    const hosts = [...known, ...Array.from({ length: 50 }, (_, n) => `none-${n}.com`)];
    const [fresh, statements] = await counting();
    const visits = await Promise.all(hosts.map(host => fresh(host)));

    expect(visits.slice(0, 6).map(({ served }) => served)).to.deep.equal(['acme', 'acme', 'acme', 'bob', 'bob', 'HOST_UNKNOWN']);
    // the first two are asked for at once, the others together: each time the hosts, the tenants' rows, and which tenants they are
    expect(statements(), statements().join('\n')).to.have.lengthOf.at.most(9);

    const before = statements().length;
    expect((await Promise.all(known.map(host => fresh(host)))).map(({ served }) => served)).not.to.include('HOST_UNKNOWN');
    expect(statements()).to.have.length(before);
  });

  it('H15 know their primary domain, or else their `domainUrl`', async () => {
    await orm.em.fork().persistAndFlush(newFirm('carl'));
    const hostOf = async (host: string): Promise<string> => primaryHostOf((await visit(host)).tenant as TenantMixin);

    expect([await hostOf('acme.example.com'), await hostOf('acme.org'), await hostOf('carl.example.com')]).to.deep.equal([
      'acme.com',
      'acme.com',
      'carl.example.com',
    ]);

    // also where another property of theirs was asked for
    for (const [value, host] of [
      ['acme', 'acme.com'],
      ['carl', 'carl.example.com'],
    ] as const) {
      const found = await identify({ headers: {} }, { orm, resolvers: [() => ({ property: 'schemaName', value })] });
      expect(primaryHostOf((found as IdentifiedAsTenant).tenant)).to.equal(host);
    }
  });

  const changes: Record<string, { readonly change: () => Promise<unknown>; readonly whose: Readonly<Record<string, string>> }> = {
    'a flush that adds a domain': {
      change: () => add('acme', 'new.acme.com'),
      whose: { 'new.acme.com': 'acme' },
    },
    'a flush that gives it to another tenant': {
      change: async () => {
        const em = orm.em.fork();
        const domain = await em.findOneOrFail(FirmDomain, { domain: 'new.acme.com' });
        domain.tenant = await em.findOneOrFail(Firm, { schemaName: 'bob' });
        await em.flush();
      },
      whose: { 'new.acme.com': 'bob', 'acme.com': 'acme' },
    },
    'a flush that changes its host': {
      change: async () => {
        const em = orm.em.fork();
        (await em.findOneOrFail(FirmDomain, { domain: 'new.acme.com' })).domain = 'newer.acme.com';
        await em.flush();
      },
      whose: { 'new.acme.com': 'HOST_UNKNOWN', 'newer.acme.com': 'bob' },
    },
    'a flush that removes it': {
      change: async () => {
        const em = orm.em.fork();
        await em.removeAndFlush(await em.findOneOrFail(FirmDomain, { domain: 'newer.acme.com' }));
      },
      whose: { 'newer.acme.com': 'HOST_UNKNOWN' },
    },
    'a rename of the tenant': {
      change: () => tenants(orm).rename('bob', 'robert'),
      whose: { 'bob.com': 'robert', 'bob.example.com': 'robert' },
    },
    'a tenant that is dropped': {
      change: () => tenants(orm).drop('robert'),
      whose: { 'bob.com': 'HOST_UNKNOWN', 'bob.example.com': 'HOST_UNKNOWN' },
    },
    'a tenant that is created with its domains': {
      change: () => tenants(orm).create({ schemaName: 'bob', domainUrl: 'bob.example.com', domains: [{ domain: 'bob.com' }] }),
      whose: { 'bob.com': 'bob', 'bob.example.com': 'bob' },
    },
  };

  for (const [title, { change, whose }] of Object.entries(changes)) {
    it(`H15 are seen after ${title}: at once in this process, and in another within a second`, async () => {
      for (const host of Object.keys(whose)) {
        await visit(host);
        await visitOther(host);
      }

      await change();

      for (const [host, expected] of Object.entries(whose)) {
        expect((await visit(host)).served, host).to.equal(expected);
        await until(`${host} is ${expected}`, async () => (await visitOther(host)).served === expected);
      }
    });
  }

  it('H15 are told of by plain SQL too: a host that is added, moved and removed, and another primary domain', async () => {
    const id = (name: string): string => `(select id from firm where schema_name = '${name}')`;
    const steps: readonly (readonly [sql: string, served: string])[] = [
      [`insert into domain (domain, tenant_id) values ('plain.com', ${id('acme')})`, 'acme'],
      [`update domain set tenant_id = ${id('bob')} where domain = 'plain.com'`, 'bob'],
      [`delete from domain where domain = 'plain.com'`, 'HOST_UNKNOWN'],
    ];

    expect((await visit('plain.com')).served).to.equal('HOST_UNKNOWN');

    for (const [sql, served] of steps) {
      await database.query(sql);
      await until(`plain.com is ${served}`, async () => (await visit('plain.com')).served === served);
    }

    await database.query(`update domain set is_primary = true where domain = 'acme.org'`);
    await until('the primary is seen', async () => primaryHostOf((await visit('acme.com')).tenant as TenantMixin) === 'acme.org');
  });

  it('H15 are found in a transaction that has changed them, and a roll-back leaves nothing', async () => {
    const em = orm.em.fork();
    await em.begin();
    const tenant = await em.findOneOrFail(Firm, { schemaName: 'acme' });
    await em.persistAndFlush(new FirmDomain({ domain: 'pending.com', tenant }));
    await em.rollback();

    expect((await visit('pending.com')).served).to.equal('HOST_UNKNOWN');
    expect((await visitOther('pending.com')).served).to.equal('HOST_UNKNOWN');
  });

  for (const [given, stored] of [
    ['UPPER.Firm.com.', 'upper.firm.com'],
    ['www.bücher.com', 'xn--bcher-kva.com'],
  ] as const) {
    it(`H15 have the host ${given} stored as ${stored}`, async () => {
      const domain = await add('acme', given);

      expect(domain?.domain).to.equal(stored);
      expect(await database.query('select 1 from domain where domain = $1', [stored])).to.have.length(1);
    });
  }

  for (const [given, code] of [
    ['https://acme.de', 'DOMAIN_INVALID'],
    ['acme.de:80', 'DOMAIN_INVALID'],
    ['*.acme.de', 'DOMAIN_INVALID'],
    [undefined, 'DOMAIN_INVALID'],
    ['firms.com', 'DOMAIN_RESERVED'],
    ['bob.com', 'HOST_TAKEN'],
    ['BOB.example.com', 'HOST_TAKEN'],
  ] as const) {
    it(`H15 are refused the host ${given}: ${code}`, async () => {
      const count = await database.query('select 1 from domain');

      expect(await refusal(add('acme', given as string))).to.include({ code });
      expect(await database.query('select 1 from domain')).to.have.length(count.length);
    });
  }

  it('H15 T9 are told of another value that is taken as what it is', async () => {
    const taking = new Firm({ schemaName: 'bob', domainUrl: 'free.example.com' });

    expect(await refusal(orm.em.fork().persistAndFlush(taking))).to.include({ code: 'TENANT_ALREADY_EXISTS' });
  });

  it('H15 may have their own `domainUrl` as a domain, and no `domainUrl` that is a domain of another', async () => {
    await add('bob', 'bob.example.com');
    const em = orm.em.fork();
    (await em.findOneOrFail(Firm, { schemaName: 'bob' })).domainUrl = 'acme.com';

    expect(await refusal(em.flush())).to.include({ code: 'HOST_TAKEN', host: 'acme.com' });
    const taking = new Firm({ schemaName: 'thief', domainUrl: 'acme.org' });
    expect(await refusal(orm.em.fork().persistAndFlush(taking))).to.include({ code: 'HOST_TAKEN', host: 'acme.org' });
    expect(await database.query(`select 1 from pg_namespace where nspname = 'thief'`)).to.deep.equal([]);
    expect((await visit('acme.com')).served).to.equal('acme');
  });

  it('H15 are refused a host that plain SQL writes in another form, or in a transaction that does not see what others store', async () => {
    for (const host of ['ACME.de', 'acme.de.', 'www.acme.de', 'acme.de:80', '']) {
      const error: any = await database
        .query(`insert into domain (domain, tenant_id) select $1, id from firm where schema_name = 'acme'`, [host])
        .catch((failure: unknown) => failure);
      expect(error.code, host).to.equal('LL003');
    }

    // PGlite has one connection, and MikroORM gives its transactions no level
    if (database.kind === 'pglite') {
      return;
    }

    const late = orm.em.fork().transactional(
      async em => {
        const tenant = await em.findOneOrFail(Firm, { schemaName: 'acme' });
        await em.persist(new FirmDomain({ domain: 'late.com', tenant })).flush();
      },
      { isolationLevel: IsolationLevel.REPEATABLE_READ },
    );
    expect(await refusal(late)).to.include({ code: 'HOST_ISOLATION' });
  });

  it('H15 are visited once each by forEachTenant(), however many hosts they have', async () => {
    const visited = await forEachTenant(async () => undefined, { orm });

    expect(visited.map(({ schemaName }) => schemaName)).to.deep.equal(['acme', 'bob', 'carl']);
  });

  if (database.kind === 'postgresql') {
    it('H15 never share a host, though many ask for it at once, as a domain and as a `domainUrl`', async () => {
      const pool = new pg.Pool({ connectionString: database.url, max: 6 });

      for (let n = 0; n < 5; n += 1) {
        const host = `race-${n}.com`;
        await Promise.allSettled(
          ['acme', 'bob', 'carl'].flatMap(name => [
            pool.query(`insert into domain (domain, tenant_id) select $1, id from firm where schema_name = $2`, [host, name]),
            pool.query(`update firm set domain_url = $1 where schema_name = $2`, [host, name]),
          ]),
        );
        const owners = await database.query(
          `select f.id from domain d join firm f on f.id = d.tenant_id where d.domain = $1 union select id from firm where domain_url = $1`,
          [host],
        );
        expect(owners, host).to.have.length(1);
      }

      await pool.end();
    });
  }

  async function add(schemaName: string, ...domains: readonly string[]): Promise<FirmDomain | undefined> {
    const em = orm.em.fork();
    const tenant = await em.findOneOrFail(Firm, { schemaName });
    const added = domains.map(domain => new FirmDomain({ domain, tenant }));
    await em.persistAndFlush(added);

    return added[0];
  }

  /** A process that knows no tenant yet, and what it sends. */
  async function counting(): Promise<[typeof visit, () => string[]]> {
    const fresh = await openOrm(
      database,
      { tenant: FirmSchema.class, domains: FirmDomainSchema.class, migrations: { migrationsList: [CreateNote] } },
      { entities: [FirmSchema, FirmDomainSchema, Note] },
    );
    const from = database.statements.length;

    return [visitorOf(fresh), () => database.statements.slice(from).filter(each => /from "public"\."(firm|domain)"/.test(each))];
  }
});

describe('the option `domains`', () => {
  class Client extends TenantMixin {}
  class Stray extends DomainMixin<Client> {}

  const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: {} });
  const StraySchema = defineEntity({ class: Stray, extends: DomainMixin, properties: {} });
  const HiddenSchema = defineEntity({ name: 'Hidden', extends: DomainMixin, schema: '*', properties: { id: p.integer().primary() } });

  onDatabases(
    'an entity of domains that cannot be',
    database => {
      for (const [title, domains, entities] of [
        ['no class of DomainMixin', Note, []],
        ['not in `entities`', StraySchema.class, []],
        ['in the tenants', HiddenSchema.class, [HiddenSchema]],
      ] as const) {
        it(`H15 is refused at the start if it is ${title}`, async () => {
          const opened = openOrm(
            database,
            { tenant: ClientSchema.class, domains: domains as never },
            { entities: [ClientSchema, Note, ...entities] },
          );

          expect(await refusal(opened)).to.include({ code: 'TENANT_CONFIG' });
        });
      }
    },
    ['pglite'],
  );
});
