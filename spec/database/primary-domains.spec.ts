import { tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { DeadlockException } from '@mikro-orm/core';
import { expect } from 'chai';
import pg from 'pg';
import { failureOf } from '../support/assertions/failure.ts';
import { until } from '../support/assertions/until.ts';
import { onDatabases } from '../support/databases/database.ts';
import { randomNumbers } from '../support/generators/random.ts';
import { Firm, FirmDomain, newFirm, openDomainOrm } from '../support/orm/domain-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

const PRIMARY = `select f.schema_name as firm, count(*) filter (where d.is_primary)::int as primary, count(*) filter (where d.is_primary is null)::int as open
  from domain d join firm f on f.id = d.tenant_id group by f.schema_name`;

const TAKE_BOTH = `update firm set domain_url = 'both.com' where schema_name = 'bob'`;

onDatabases('the primary domain of a tenant', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openDomainOrm(database);
  });

  beforeEach(async () => {
    await database.query('delete from firm');
    await database.query(
      `insert into firm (schema_name, domain_url) values ('acme', 'acme.example.com'), ('bob', 'bob.example.com') on conflict do nothing`,
    );
  });

  it('E2 H16 is the first one by itself, also in the entity, and not the next', async () => {
    const em = orm.em.fork();
    const tenant = await em.findOneOrFail(Firm, { schemaName: 'acme' });
    const [first, second] = [new FirmDomain({ domain: 'one.com', tenant }), new FirmDomain({ domain: 'two.com', tenant })] as const;
    await em.persistAndFlush([first, second]);

    expect([first.isPrimary, second.isPrimary]).to.deep.equal([true, false]);
    expect(await primaryOf('acme')).to.deep.equal(['one.com']);
  });

  it('E2 H16 is taken from the one before by another that is made the primary, in a flush of either or of both', async () => {
    await add('acme', 'one.com', 'two.com', 'three.com');

    for (const changes of [
      { 'two.com': true },
      { 'three.com': true, 'two.com': false },
      { 'one.com': true, 'three.com': false },
      { 'two.com': true, 'one.com': true },
    ]) {
      const em = orm.em.fork();

      for (const domain of await em.find(FirmDomain, { domain: { $in: Object.keys(changes) } })) {
        domain.isPrimary = changes[domain.domain as keyof typeof changes] ?? false;
      }

      await em.flush();
      expect(await primaryOf('acme'), JSON.stringify(changes)).to.have.length(1);
      expect(Object.keys(changes).filter(name => changes[name as keyof typeof changes])).to.include((await primaryOf('acme'))[0]);
    }

    const em = orm.em.fork();
    const tenant = await em.findOneOrFail(Firm, { schemaName: 'acme' });
    await em.persistAndFlush(new FirmDomain({ domain: 'four.com', tenant, isPrimary: true }));
    expect(await primaryOf('acme')).to.deep.equal(['four.com']);
  });

  it('E2 H16 is another when it is deleted, moved to another tenant, or said to be none; the last one stays', async () => {
    await add('acme', 'one.com', 'two.com', 'three.com');
    await add('bob', 'bob.com');

    await database.query(`delete from domain where domain = 'one.com'`);
    expect(await primaryOf('acme')).to.deep.equal(['two.com']);

    await database.query(`update domain set tenant_id = (select id from firm where schema_name = 'bob') where domain = 'two.com'`);
    expect([await primaryOf('acme'), await primaryOf('bob')]).to.deep.equal([['three.com'], ['bob.com']]);

    await database.query(`update domain set is_primary = false where domain in ('three.com', 'bob.com')`);
    expect([await primaryOf('acme'), await primaryOf('bob')]).to.deep.equal([['three.com'], ['two.com']]);

    await database.query(`delete from domain`);
    expect(await database.query(PRIMARY)).to.deep.equal([]);
  });

  it('E2 H16 is one also where one statement writes many rows, or an upsert meets one that is there', async () => {
    const id = `(select id from firm where schema_name = 'acme')`;
    await database.query(
      `insert into domain (domain, tenant_id, is_primary) values ('a.com', ${id}, true), ('b.com', ${id}, true), ('c.com', ${id}, false)`,
    );
    expect(await primaryOf('acme')).to.deep.equal(['b.com']);

    await database.query(`update domain set is_primary = true`);
    expect(await primaryOf('acme')).to.have.length(1);

    for (const name of ['a.com', 'c.com', 'c.com']) {
      await orm.em.fork().upsert(FirmDomain, { domain: name, tenant: await idOf('acme'), isPrimary: true });
      expect(await primaryOf('acme')).to.deep.equal([name]);
    }

    await database.query(`update domain set note = 'x', domain = 'new-' || domain`);
    expect(await primaryOf('acme')).to.deep.equal(['new-c.com']);
  });

  it('E2 H16 is of its own tenant: what one does changes no other', async () => {
    await add('acme', 'one.com', 'two.com');
    await add('bob', 'bob.com', 'bob.org');
    const em = orm.em.fork();
    (await em.findOneOrFail(FirmDomain, { domain: 'bob.org' })).isPrimary = true;
    await em.flush();

    expect([await primaryOf('acme'), await primaryOf('bob')]).to.deep.equal([['one.com'], ['bob.org']]);
  });

  it('E2 H16 goes with its tenant, and comes with it in one transaction', async () => {
    await tenants(orm).create({
      schemaName: 'carl',
      domainUrl: 'carl.example.com',
      domains: [{ domain: 'carl.com' }, { domain: 'CARL.org', isPrimary: true }],
    });
    expect(await primaryOf('carl')).to.deep.equal(['carl.org']);
    await tenants(orm).drop('carl');
    expect(await database.query(`select domain from domain where domain like 'carl%'`)).to.deep.equal([]);

    const failing = tenants(orm).create({
      schemaName: 'dora',
      domainUrl: 'dora.example.com',
      domains: [{ domain: 'acme.example.com' }],
    });
    expect(await failing.catch((error: unknown) => error)).to.include({ code: 'HOST_TAKEN', host: 'acme.example.com' });
    expect(
      await database.query(`select 1 from pg_namespace where nspname = 'dora' union all select 1 from firm where schema_name = 'dora'`),
    ).to.deep.equal([]);
  });

  it('E2 H16 is written by the public set, and then no more', async () => {
    expect(await orm.schema.getUpdateSchemaSQL()).to.equal('');
  });

  if (database.kind === 'postgresql') {
    it('E2 H16 is exactly one after a hundred writers at once, none of which waits for another in a circle', async () => {
      await add('acme', 'acme-0.com', 'acme-1.com');
      await add('bob', 'bob-0.com', 'bob-1.com');

      expect(
        await writeAtOnce(
          100,
          Object.keys(STEPS).filter(name => name !== 'lock the tenant first'),
        ),
      ).to.deep.equal([]);
      expect(await counts()).to.deep.equal([EXACTLY_ONE, EXACTLY_ONE]);
    });

    it('E2 H16 is exactly one where others lock the row of the tenant before they add domains to it', async () => {
      await add('acme', 'acme-0.com', 'acme-1.com');
      await add('bob', 'bob-0.com', 'bob-1.com');
      const steps = ['lock the tenant first', 'add', 'note'];

      expect(await writeAtOnce(30, steps)).to.deep.equal([]);
      expect(await counts()).to.deep.equal([EXACTLY_ONE, EXACTLY_ONE]);
    });

    for (const [what, change] of Object.entries<(em: TenantEntityManager, domain: FirmDomain) => Promise<void> | void>({
      'makes one of its domains the primary': (_, domain) => void (domain.isPrimary = true),
      'moves one of its domains to another tenant': async (em, domain) =>
        void (domain.tenant = await em.findOneOrFail(Firm, { schemaName: 'bob' })),
      'moves a domain of another tenant to it': async (em, domain) => {
        (await em.findOneOrFail(FirmDomain, { domain: 'bob.com' })).tenant = domain.tenant;
        domain.note = 'changed before';
      },
      'makes one the primary and deletes another': (em, domain) => {
        domain.isPrimary = true;
        em.remove(em.getReference(FirmDomain, domain.id));
        domain.tenant.domains.getItems().forEach(each => (each.note = 'changed'));
      },
    })) {
      it(`E2 H16 a flush that ${what} waits for a transaction that has locked the tenant, and not in a circle`, async () => {
        await add('acme', 'one.com', 'two.com', 'three.com');
        await add('bob', 'bob.com');
        const em = orm.em.fork();
        const domain = await em.findOneOrFail(FirmDomain, { domain: 'two.com' }, { populate: ['tenant.domains'] });
        await change(em, domain);
        const other = new pg.Client({ connectionString: database.url });
        await other.connect();

        try {
          await other.query(`begin; select 1 from firm where schema_name = 'acme' for update`);
          const flushed = em.flush();
          await until('the flush waits for a lock', isWaiting);
          await other.query(`insert into domain (domain, tenant_id) select 'four.com', id from firm where schema_name = 'acme'; commit`);
          await flushed;
        } finally {
          await other.end();
        }

        expect(await counts()).to.deep.equal(await database.query(`select 1 as primary, 0 as open from domain group by tenant_id`));
        expect(await database.query(`select 1 from domain where domain = 'four.com'`)).to.have.length(1);
      });
    }

    for (const [first, second] of [
      [`insert into domain (domain, tenant_id) select 'both.com', id from firm where schema_name = 'acme'`, TAKE_BOTH],
      [TAKE_BOTH, `insert into domain (domain, tenant_id) select 'both.com', id from firm where schema_name = 'acme'`],
    ] as const) {
      it(`H16 a host that two transactions store at once is of the first: ${first.split(' ')[0]}`, async () => {
        const [one, other] = [new pg.Client({ connectionString: database.url }), new pg.Client({ connectionString: database.url })];
        await Promise.all([one.connect(), other.connect()]);

        try {
          await one.query(`begin; ${first}`);
          const failed = failureOf(other.query(second));
          await Promise.race([failed, until('the second waits for it', isWaiting)]);
          await one.query('commit');
          expect(await failed).to.include({ code: 'LL001' });
        } finally {
          await Promise.all([one.end(), other.end()]);
        }
      });
    }

    it('E2 H16 of two transactions that lock in opposite orders, one is refused with HOST_CONFLICT, and works when it is repeated', async () => {
      await add('acme', 'one.com', 'two.com');
      const other = new pg.Client({ connectionString: database.url });
      await other.connect();
      const promote = async (between: () => Promise<unknown>): Promise<void> =>
        orm.em.fork().transactional(async em => {
          // takes the lock of all domains before the tenant's
          await em.nativeUpdate(FirmDomain, { domain: 'one.com' }, { note: 'x' });
          await between();
          (await em.findOneOrFail(FirmDomain, { domain: 'two.com' })).isPrimary = true;
        });
      let added: Promise<unknown> = Promise.resolve();

      try {
        // the other one is patient
        await other.query(`set deadlock_timeout = '1min'; begin; select 1 from firm where schema_name = 'acme' for update`);
        const error = await failureOf(
          promote(async () => {
            added = other.query(
              `insert into domain (domain, tenant_id) select 'three.com', id from firm where schema_name = 'acme'; commit`,
            );
          }),
        );
        await added;

        expect(error).to.have.property('code', 'HOST_CONFLICT');
        expect(error).to.have.property('cause').that.is.instanceOf(DeadlockException);
        expect(await primaryOf('acme')).to.deep.equal(['one.com']);
        await promote(async () => undefined);
        expect(await primaryOf('acme')).to.deep.equal(['two.com']);
      } finally {
        await other.end();
      }
    });

    it('E2 H16 is no reason to wait in a circle for a tenant that is dropped while domains are added to it', async () => {
      const pool = new pg.Pool({ connectionString: database.url, max: 4 });

      for (let n = 0; n < 5; n += 1) {
        await orm.em.fork().persistAndFlush(newFirm(`gone_${n}`));
        const id = await idOf(`gone_${n}`);
        const added = Array.from({ length: 4 }, async (_, nr) =>
          pool.query(`insert into domain (domain, tenant_id) values ('g-${n}-${nr}.com', ${id})`).then(
            () => 'stored',
            (error: { readonly code: string }) => error.code,
          ),
        );
        await tenants(orm).drop(`gone_${n}`);

        // stored and deleted with the tenant, or refused by the foreign key
        expect((await Promise.all(added)).filter(each => each !== 'stored' && each !== '23503')).to.deep.equal([]);
      }

      await pool.end();
      expect(await database.query(`select 1 from domain where domain like 'g-%'`)).to.deep.equal([]);
    });
  }

  async function isWaiting(): Promise<boolean> {
    return (
      (await database.query(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)).length > 0
    );
  }

  /** What has failed. Each writer has a connection of its own. */
  async function writeAtOnce(writers: number, steps: readonly string[]): Promise<string[]> {
    const pool = new pg.Pool({ connectionString: database.url, max: writers });
    const clients = await Promise.all(Array.from({ length: writers }, () => pool.connect()));

    try {
      const written = await Promise.allSettled(clients.map((client, nr) => write(client, nr, steps)));

      return written.flatMap(each => (each.status === 'rejected' ? [String(each.reason)] : []));
    } finally {
      clients.forEach(client => client.release());
      await pool.end();
    }
  }

  async function counts(): Promise<object[]> {
    return (await database.query(PRIMARY)).map(({ primary, open }) => ({ primary, open }));
  }

  async function add(schemaName: string, ...names: readonly string[]): Promise<void> {
    for (const name of names) {
      await database.query(`insert into domain (domain, tenant_id) select $1, id from firm where schema_name = $2`, [name, schemaName]);
    }
  }

  async function primaryOf(schemaName: string): Promise<string[]> {
    const rows = await database.query<{ domain: string }>(
      `select domain from domain d join firm f on f.id = d.tenant_id where d.is_primary and f.schema_name = $1`,
      [schemaName],
    );

    return rows.map(({ domain }) => domain);
  }

  async function idOf(schemaName: string): Promise<number> {
    const [row] = await database.query<{ id: number }>(`select id from firm where schema_name = $1`, [schemaName]);

    return row?.id ?? 0;
  }
});

/** Transactions of several kinds, one after the other. */
async function write(client: pg.PoolClient, nr: number, steps: readonly string[]): Promise<void> {
  const random = randomNumbers(nr);

  for (let round = 0; round < ROUNDS; round += 1) {
    const step = STEPS[steps[(nr + round * 4) % steps.length] ?? ''];
    await client.query(`begin; ${step?.(`w-${nr}-${round}.com`, random() < 0.5 ? 'acme' : 'bob')}`);
    await client.query('commit');
  }
}

const ROUNDS = 3;

const EXACTLY_ONE = { primary: 1, open: 0 };

const ONE = (firm: string, condition = 'true'): string =>
  `(select d.id from domain d join firm f on f.id = d.tenant_id where f.schema_name = '${firm}' and ${condition} order by random() limit 1)`;

/** Several statements in one message are in the transaction all the same. Nobody deletes the last domain of a tenant, so that each keeps one. */
const STEPS: Readonly<Record<string, (name: string, firm: string) => string>> = {
  add: (name, firm) => `insert into domain (domain, tenant_id) select '${name}', id from firm where schema_name = '${firm}'`,
  'add as primary': (name, firm) =>
    `insert into domain (domain, tenant_id, is_primary) select '${name}', id, true from firm where schema_name = '${firm}'`,
  promote: (_, firm) => `update domain set is_primary = true where id = ${ONE(firm)}`,
  'promote all': (_, firm) => `update domain set is_primary = true where tenant_id = (select id from firm where schema_name = '${firm}')`,
  demote: (_, firm) => `update domain set is_primary = false where id = ${ONE(firm, 'is_primary')}`,
  'replace the primary': (name, firm) =>
    `insert into domain (domain, tenant_id) select '${name}', id from firm where schema_name = '${firm}'; delete from domain where id = ${ONE(firm, `is_primary and domain <> '${name}'`)}`,
  note: (name, firm) => `update domain set note = '${name}' where id = ${ONE(firm)}`,
  move: (name, firm) =>
    `insert into domain (domain, tenant_id) select '${name}', id from firm where schema_name = '${firm}'; update domain set tenant_id = (select id from firm where schema_name <> '${firm}') where id = ${ONE(firm, `domain <> '${name}'`)}`,
  'lock the tenant first': (name, firm) =>
    `select 1 from firm where schema_name = '${firm}' for update; insert into domain (domain, tenant_id) select '${name}', id from firm where schema_name = '${firm}'; update domain set note = '${name}' where domain = '${name}'`,
  'change the tenant first': (name, firm) =>
    `update firm set name = '${name}' where schema_name = '${firm}'; insert into domain (domain, tenant_id) select '${name}', id from firm where schema_name = '${firm}'`,
};
