import { runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { schemaNames } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { refusal } from '../../support/assertions/refusal.ts';
import { host, openHardOrm } from '../../support/orm/hard-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';

onDatabases(
  'cloning a tenant that is in use',
  database => {
    let orm: SpecOrm;

    before(async () => {
      orm = await openHardOrm(database, {
        statements: [
          'create table account (id int primary key, balance int not null)',
          'create table entry (id serial primary key, account_id int not null references account (id), amount int not null)',
          'insert into account select n, 0 from generate_series(1, 10) n',
        ],
        options: { roles: { prefix: `clone_${process.pid}_` } },
      });
      await tenants().create(host('bank'));
    });

    after(async () => {
      for (const name of await schemaNames(database)) {
        await tenants().drop(name);
      }
    });

    it('L1 a source under write is copied as of one moment', async () => {
      let isDone = false;
      const writing = Array.from({ length: 3 }, async () => {
        while (!isDone) {
          const id = 1 + Math.floor(Math.random() * 10);
          await runInTenant('bank', em =>
            em.transactional(async tx => {
              await tx.execute('insert into entry (account_id, amount) values (?, 1)', [id]);
              await tx.execute('update account set balance = balance + 1 where id = ?', [id]);
            }),
          );
        }
      });

      for (const name of ['copy_1', 'copy_2', 'copy_3']) {
        await tenants().clone('bank', host(name));
      }

      isDone = true;
      await Promise.all(writing);

      for (const name of ['copy_1', 'copy_2', 'copy_3']) {
        const [sums] = await database.query(
          `select (select sum(balance) from ${name}.account)::int as balances, (select coalesce(sum(amount), 0) from ${name}.entry)::int as entries,
            (select coalesce(max(id), 0) from ${name}.entry)::int <= (select last_value from ${name}.entry_id_seq)::int as counts`,
        );
        expect(sums?.['balances']).to.equal(sums?.['entries']);
        expect(sums?.['counts']).to.equal(true);
      }
    });

    it('L1 waits for a migration that rewrites a table, and has all its rows', async () => {
      const other = orm.em.fork();
      await other.begin();
      await other.execute(`select pg_advisory_xact_lock(hashtextextended('landlord:bank', 0))`);
      await other.execute('alter table bank.account alter column balance type bigint');
      const cloning = tenants().clone('bank', host('rewritten'));
      await new Promise(resolve => setTimeout(resolve, 150));
      await other.commit();
      await cloning;
      expect(await database.query('select count(*)::int as n from rewritten.account')).to.deep.equal([{ n: 10 }]);
    });

    it('L1 with roles, the copy is its own tenant’s role’s, and the source’s role reaches nothing of it', async () => {
      const roles = { bank: `clone_${process.pid}_bank`, copy: `clone_${process.pid}_copy_1` };
      const can = async (role: string, table: string): Promise<unknown> =>
        (await database.query('select has_table_privilege($1::name, $2::text, $3::text) as can', [role, table, 'select']))[0]?.['can'];
      expect([
        await can(roles.copy, 'copy_1.account'),
        await can(roles.copy, 'bank.account'),
        await can(roles.bank, 'copy_1.account'),
        await can(roles.bank, 'bank.account'),
      ]).to.deep.equal([true, false, false, true]);
      await runInTenant('copy_1', em => em.execute('insert into entry (account_id, amount) values (1, 5)'));
    });

    it('L6 of several that want one name, one gets it', async () => {
      const results = await Promise.allSettled(Array.from({ length: 3 }, () => tenants().clone('bank', host('wanted'))));
      expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
      expect(await database.query(`select count(*)::int as n from customer where schema_name = 'wanted'`)).to.deep.equal([{ n: 1 }]);
      await refusal(
        orm.em.fork().transactional(() => tenants().clone('bank', host('inside'))),
        'SNAPSHOT_IN_TRANSACTION',
      );
      expect(await schemaNames(database)).to.not.include('inside');
    });
  },
  ['postgresql'],
);
