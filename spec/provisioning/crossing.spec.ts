import { TenantConflictError, TenantMixin, tenants } from '@landlord/mikro-orm';
import { DeadlockException, defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { until } from '../support/assertions/until.ts';
import { schemaNames } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { countLockWaits, openSession } from '../support/databases/sessions.ts';
import { openNoteOrm } from '../support/orm/note-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

class Canal extends TenantMixin {}
defineEntity({ class: Canal, extends: TenantMixin, properties: {} });

onDatabases(
  'changes of tenants that wait for each other',
  database => {
    let orm: SpecOrm;

    before(async () => {
      orm = await openNoteOrm(database, Canal);
    });

    beforeEach(async () => {
      for (const schemaName of ['acme', 'bob']) {
        await tenants(orm).create({ schemaName, domainUrl: `${schemaName}.example.com` });
      }
    });

    afterEach(async () => {
      for (const { schemaName } of await tenants(orm).list()) {
        await tenants(orm).drop(schemaName);
      }
    });

    it('S12 L6 one of them is undone by PostgreSQL and tried again', async () => {
      await cross(() => tenants(orm).rename('acme', 'bob'));
      expect(await schemaNames(database)).to.have.members(['bob', 'carl']);
    });

    it('L6 is refused with a code where it is in the caller’s transaction, and has the deadlock as its cause', async () => {
      const refused = await refusal(
        cross(() => orm.em.fork({ useContext: true }).transactional(() => tenants(orm).rename('acme', 'bob'))),
        'TENANT_CONFLICT',
      );
      expect(refused).to.be.instanceOf(TenantConflictError);
      expect(refused.cause).to.be.instanceOf(DeadlockException);
      expect(await schemaNames(database)).to.have.members(['acme', 'carl']);
    });

    it('L6 is refused with a code in a flush of the caller’s', async () => {
      const em = orm.em.fork();
      const row = await em.findOneOrFail(Canal, { schemaName: 'acme' });
      row.schemaName = 'bob';
      const refused = await refusal(
        cross(() => em.flush()),
        'TENANT_CONFLICT',
      );
      expect(refused.cause).to.be.instanceOf(DeadlockException);
      expect(await schemaNames(database)).to.have.members(['acme', 'carl']);
    });

    it('L6 renames that cross never end in anything else than a code', async () => {
      for (let round = 0; round < 10; round += 1) {
        const ends = await Promise.allSettled([
          tenants(orm).rename('acme', 'bob'),
          tenants(orm).rename('bob', 'acme'),
          tenants(orm).rename('acme', 'carl'),
          tenants(orm).rename('bob', 'carl'),
        ]);

        for (const end of ends) {
          expect(end.status === 'rejected' ? end.reason : { code: 'done' })
            .to.have.property('code')
            .that.matches(/^[a-zA-Z_]+$/);
        }

        for (const [from, to] of [
          ['carl', 'acme'],
          ['carl', 'bob'],
        ] as const) {
          await tenants(orm)
            .rename(from, to)
            .catch(() => undefined);
        }
      }
    });

    it('L6 a creation whose schema is waited for by who waits for its row is tried again', async () => {
      await crossAtSchema('dora', () => tenants(orm).create({ schemaName: 'dora', domainUrl: 'dora.example.com' }));
      expect(await schemaNames(database)).to.have.members(['acme', 'bob', 'dora']);
    });

    it('L6 a flush whose schema is waited for by who waits for its row is refused with a code', async () => {
      const em = orm.em.fork();
      (await em.findOneOrFail(Canal, { schemaName: 'acme' })).schemaName = 'zoe';
      const refused = await refusal(
        crossAtSchema('acme', () => em.flush()),
        'TENANT_CONFLICT',
      );
      expect(refused.cause).to.be.instanceOf(DeadlockException);
      expect(await schemaNames(database)).to.have.members(['acme', 'bob']);
    });

    it('L4 L6 an adoption and another creation of its tenant do not wait for each other in a circle', async () => {
      for (const name of ['ida', 'jon', 'kim']) {
        await tenants(orm).create({ schemaName: name, domainUrl: `${name}.example.com` });
        await database.query(`delete from canal where schema_name = $1`, [name]);
        const data = { schemaName: name, domainUrl: `${name}.example.com` };
        const ends = await Promise.allSettled([tenants(orm).adopt(data), tenants(orm).create(data, { adoptSchema: true })]);
        const codes = ends.map(end => (end.status === 'rejected' ? (end.reason as { code: string }).code : 'done'));

        expect(codes).to.have.members(['done', 'TENANT_ALREADY_EXISTS']);
      }
    });

    /** Does the work on this tenant, while another session has the lock of its schema and wants its row then. */
    async function crossAtSchema<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
      const other = await openSession(database);

      try {
        await other.query(`set deadlock_timeout = '1min'; begin`);
        await other.query(`select pg_advisory_xact_lock(hashtextextended('landlord:${name}', 0))`);
        const working = work();
        working.catch(() => undefined);
        await until('it waits', async () => (await countLockWaits(database)) > 0);
        await other.query(`insert into canal (schema_name, domain_url) values ('${name}', '${name}.example.com') on conflict do nothing`);
        await other.query('rollback');

        return await working;
      } finally {
        await other.end();
      }
    }

    /** Does the work, which renames `acme` to `bob`, while another session renames `bob` to `carl` and wants `acme` then. */
    async function cross<Result>(work: () => Promise<Result>): Promise<Result> {
      const other = await openSession(database);

      try {
        // so that it is not this one that PostgreSQL ends
        await other.query(`set deadlock_timeout = '1min'; begin; alter schema bob rename to carl`);
        await other.query(`update canal set schema_name = 'carl' where schema_name = 'bob'`);
        const working = work();
        working.catch(() => undefined);
        await until('it waits', async () => (await countLockWaits(database)) > 0);
        await other.query(`select 1 from canal where schema_name = 'acme' for update`);
        await other.query('commit');

        return await working;
      } finally {
        await other.end();
      }
    }
  },
  ['postgresql'],
);
