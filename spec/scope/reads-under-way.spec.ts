import { runInTenant, TenantMixin, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { until } from '../support/assertions/until.ts';
import { onDatabases } from '../support/databases/database.ts';
import { openSession } from '../support/databases/sessions.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

class Parish extends TenantMixin {}
defineEntity({ class: Parish, extends: TenantMixin, properties: {} });

/** The ways to read. Each resolves to the texts of all notes. */
const READS: Readonly<Record<string, (em: TenantEntityManager) => Promise<unknown>>> = {
  find: async em => (await em.find(Note, {})).map(({ text }) => text),
  findOne: async em => [(await em.findOneOrFail(Note, { id: 1 })).text],
  refresh: async em => [(await em.refreshOrFail(em.getReference(Note, 1 as never))).text],
  'qb.getResult()': async em => (await em.qb(Note, 'n').getResult()).map(({ text }) => text),
  'qb.execute()': async em => (await em.qb(Note, 'n').select('n.text').execute()).map(({ text }) => text),
  stream: async em => texts(em.stream(Note, {})),
  'qb.stream()': async em => texts(em.qb(Note, 'n').stream()),
  Kysely: async em => (await em.getKysely<{ note: Note }>().selectFrom('note').select('text').execute()).map(({ text }) => text),
  'Kysely’s stream': async em => texts(em.getKysely<{ note: Note }>().selectFrom('note').select('text').stream()),
  'raw SQL': async em => (await em.execute('select text from note')).map(({ text }) => text),
  'raw SQL with a schema': async em => (await em.execute('select text from "acme"."note"')).map(({ text }) => text),
};

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
      for (const [name, read] of Object.entries(READS)) {
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

    for (const [name, read] of Object.entries(READS)) {
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

    /** Runs `work` while nobody can read the table of `acme`, until it is released. */
    /** Changes the tenant, which keeps its name. */
    async function changeAcme(): Promise<void> {
      const em = orm.em.fork();
      const [row] = await em.find(Parish, { schemaName: 'acme' });
      await em.persistAndFlush(Object.assign(row as Parish, { domainUrl: `${++made}.example.com` }));
    }

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

async function texts(rows: AsyncIterable<{ readonly text: string }>): Promise<string[]> {
  const found: string[] = [];

  for await (const { text } of rows) {
    found.push(text);
  }

  return found;
}

let made = 0;
