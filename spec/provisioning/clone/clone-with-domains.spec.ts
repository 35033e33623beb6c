import { runInTenant, tenants, type TenantHooks } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Tenancy } from '../../../dist/tenancy.js';
import { Gate } from '../../support/assertions/gate.ts';
import { refusal } from '../../support/assertions/refusal.ts';
import { until } from '../../support/assertions/until.ts';
import { schemaNames } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { FirmDomain, newFirm, openDomainOrm, type Firm } from '../../support/orm/domain-orm.ts';
import { host } from '../../support/orm/hard-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';

onDatabases('cloning a tenant where tenants may have several hosts', database => {
  const hooks: TenantHooks<any> = {};
  let orm: SpecOrm;

  before(async () => {
    orm = await openDomainOrm(database, { hooks });
    const em = orm.em.fork();
    const acme = newFirm('acme');
    await em.persistAndFlush([acme, new FirmDomain({ tenant: acme, domain: 'shop.example.com' })]);
    await runInTenant('acme', tx => tx.execute(`insert into note (text) values ('first'), ('second')`));
  });

  afterEach(() => {
    delete hooks.beforeCreate;
  });

  it('L1 the copy has the rows of the source, is found by its own host, and has none of the source’s', async () => {
    const copy = await tenants<Firm>(orm).clone('acme', host('copy'));

    expect(await database.query('select id, text from copy.note order by id')).to.deep.equal([
      { id: 1, text: 'first' },
      { id: 2, text: 'second' },
    ]);
    expect(await database.query('select from domain where tenant_id = $1', [copy.id])).to.deep.equal([]);
    const { directory } = Tenancy.of(orm.config);
    expect((await directory.find({ property: 'domainUrl', value: 'copy.example.com' }))?.schemaName).to.equal('copy');
    expect((await directory.find({ property: 'domainUrl', value: 'shop.example.com' }))?.schemaName).to.equal('acme');
  });

  it('L1 T9 a host that another tenant has is refused, and nothing is stored', async () => {
    const error = await refusal(tenants<Firm>(orm).clone('acme', { schemaName: 'second', domainUrl: 'shop.example.com' }), 'HOST_TAKEN');

    expect(error.message).to.contain('shop.example.com');
    expect(await schemaNames(database)).not.to.include('second');
    expect(await database.query(`select from firm where schema_name = 'second'`)).to.deep.equal([]);
  });

  if (database.kind === 'postgresql') {
    it('L1 a source under write is copied as of one moment, and no writer fails', async () => {
      await tenants<Firm>(orm).create(host('bank'));
      let isDone = false;
      const writing = Array.from({ length: 3 }, async () => {
        while (!isDone) {
          await runInTenant('bank', em =>
            em.transactional(async tx => {
              await tx.execute(`insert into note (text) values ('debit')`);
              await tx.execute(`insert into note (text) values ('credit')`);
            }),
          );
        }
      });

      for (const name of ['bank_1', 'bank_2', 'bank_3']) {
        await tenants<Firm>(orm).clone('bank', host(name));
      }

      isDone = true;
      await Promise.all(writing);

      for (const name of ['bank_1', 'bank_2', 'bank_3']) {
        const [sums] = await database.query(
          `select count(*) filter (where text = 'debit')::int as debits, count(*) filter (where text = 'credit')::int as credits from ${name}.note`,
        );
        expect(sums?.['debits']).to.equal(sums?.['credits']);
      }
    });

    it('L1 waits for one that writes in the source, without keeping others from reading', async () => {
      const written = new Gate();
      const mayEnd = new Gate();
      const writing = runInTenant('acme', em =>
        em.transactional(async tx => {
          await tx.execute(`insert into note (text) values ('third')`);
          written.open();
          await mayEnd.pass();
        }),
      );
      await written.pass();
      const cloning = tenants<Firm>(orm).clone('acme', host('late'));

      await until('it waits', async () => (await waiting()).length > 0);
      const [first] = await waiting();
      // others are let past in between
      await until('it tries again', async () => (await waiting()).some(since => since !== first));

      expect(await runInTenant('acme', em => em.execute('select count(*)::int as n from note'))).to.deep.equal([{ n: 2 }]);
      mayEnd.open();
      await Promise.all([writing, cloning]);

      expect(await database.query('select count(*)::int as n from late.note')).to.deep.equal([{ n: 3 }]);
    });

    it('L1 T9 a host that another tenant gets meanwhile is one tenant’s alone', async () => {
      let other: Promise<unknown> | undefined;
      hooks.beforeCreate = async () => {
        other = database
          .query(
            `insert into domain (domain, is_primary, tenant_id) select 'raced.example.com', false, id from firm where schema_name = 'acme'`,
          )
          .catch((error: unknown) => error);
        await until('it waits', async () => (await waiting()).length > 0);
      };
      await tenants<Firm>(orm).clone('acme', { schemaName: 'raced', domainUrl: 'raced.example.com' });

      expect(await other).to.have.property('code', 'LL001');
      expect(await database.query(`select from domain where domain = 'raced.example.com'`)).to.deep.equal([]);
    });

    /** Since when each transaction that waits for a lock is open. */
    async function waiting(): Promise<string[]> {
      const rows = await orm.em
        .fork()
        .execute<{ since: string }[]>(
          `select xact_start::text as since from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );

      return rows.map(({ since }) => since);
    }
  }
});
