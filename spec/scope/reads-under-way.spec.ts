import { runInTenant, TenantMixin, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { until } from '../support/assertions/until.ts';
import { onDatabases } from '../support/databases/database.ts';
import { openSession } from '../support/databases/sessions.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import { NOTE_READS } from '../support/orm/note-reads.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

class Parish extends TenantMixin {}
defineEntity({ class: Parish, extends: TenantMixin, properties: {} });

/** What becomes of the tenant `acme` while it is read. */
const CHANGES: Readonly<Record<string, (orm: SpecOrm) => Promise<void>>> = {
  'swapped with another': async orm => {
    await tenants(orm).rename('acme', 'elsewhere');
    await tenants(orm).rename('bob', 'acme');
    await tenants(orm).rename('elsewhere', 'bob');
  },
  'swapped with another in one transaction': orm =>
    orm.em.fork({ useContext: true }).transactional(() => CHANGES['swapped with another']!(orm)),
};

onDatabases(
  'what is read while this process changes the tenant',
  database => {
    let orm: SpecOrm;

    before(async () => {
      orm = await openNoteOrm(database, Parish, { directory: { listen: false } });

      for (const schemaName of ['acme', 'bob']) {
        await orm.em.fork().persistAndFlush(Object.assign(new Parish(), { schemaName, domainUrl: `${schemaName}.example.com` }));
      }
    });

    beforeEach(async () => {
      for (const schemaName of ['acme', 'bob']) {
        await database.query(`truncate ${schemaName}.note`);
        await database.query(`insert into ${schemaName}.note (id, text) values (1, 'of ${schemaName}')`);
      }
    });

    for (const [change, make] of Object.entries(CHANGES)) {
      for (const [name, read] of Object.entries(NOTE_READS)) {
        it(`S12 is refused if it waits until another tenant has the name, ${change}: ${name}`, async () => {
          await whileLocked(async release => {
            const reading = runInTenant('acme', em => read(em), { orm });
            reading.catch(() => undefined);
            await waiting();
            await make(orm);
            await release();
            await refusal(reading, 'TENANT_CHANGED');
          });
        });
      }
    }

    for (const [name, read] of Object.entries(NOTE_READS)) {
      it(`S12 is answered if its tenant has changed, and has its name: ${name}`, async () => {
        await whileLocked(async release => {
          const reading = runInTenant('acme', em => read(em), { orm });
          reading.catch(() => undefined);
          await waiting();
          await changeAcme();
          await release();
          expect(await reading).to.deep.equal(['of acme']);
        });
      });
    }

    it('S12 N3 a stream whose reader stops early leaves its connection free, also one that was begun again', async () => {
      await database.query(`insert into acme.note (id, text) select n, 'of acme' from generate_series(2, 500) n`);
      const first = async (em: TenantEntityManager): Promise<string | undefined> => {
        for await (const { text } of em.stream(Note, {})) {
          return text;
        }

        return undefined;
      };

      for (let round = 0; round < 15; round++) {
        expect(await runInTenant('acme', em => first(em), { orm })).to.equal('of acme');
      }

      await whileLocked(async release => {
        const reading = runInTenant('acme', em => first(em), { orm });
        reading.catch(() => undefined);
        await waiting();
        await changeAcme();
        await release();
        expect(await reading).to.equal('of acme');
      });
      const busy = await database.query(
        `select query from pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`,
      );
      expect(busy).to.deep.equal([]);
    });

    /** Changes the tenant, which keeps its name. */
    async function changeAcme(): Promise<void> {
      const em = orm.em.fork();
      const [row] = await em.find(Parish, { schemaName: 'acme' });
      await em.persistAndFlush(Object.assign(row as Parish, { domainUrl: `${++made}.example.com` }));
    }

    /** Runs `work` while nobody can read the table of `acme`, until it is released. */
    async function whileLocked(work: (release: () => Promise<unknown>) => Promise<void>): Promise<void> {
      const other = await openSession(database);

      try {
        await other.query('begin');
        await other.query('lock table acme.note in access exclusive mode');
        await work(() => other.query('rollback'));
      } finally {
        await other.end();
      }
    }

    async function waiting(): Promise<void> {
      await until('the read waits', async () => {
        const found = await database.query(
          `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%note%'`,
        );

        return found.length > 0;
      });
    }
  },
  ['postgresql'],
);

let made = 0;
