import { runInPublic, runInTenant, tenantFields, tenantMixin, TenantMixin, tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { failureOf } from '../support/assertions/failure.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

class Firm extends TenantMixin {
  declare label: string;
}
defineEntity({ class: Firm, extends: TenantMixin, properties: { label: p.string() } });

const HOSTILE = `*/ drop schema bob cascade; /* ' " \\' ?, $1 -- \n é \u0000`.replace('\u0000', '\ud800');

onDatabases(
  'logs and tags',
  database => {
    let orm: SpecOrm;
    let tags: (scope: { schemaName: string; tenant: Firm | undefined }) => Record<string, string | undefined> = ({ schemaName }) => ({
      tenant: schemaName,
    });

    before(async () => {
      orm = await openNoteOrm(database, Firm, { sqlTags: (scope: any) => tags(scope) });

      for (const name of ['acme', 'bob']) {
        await tenants<Firm>(orm).create({ schemaName: name, domainUrl: `${name}.example.com`, label: name });
      }
    });

    afterEach(() => {
      tags = ({ schemaName }) => ({ tenant: schemaName });
    });

    it('J4 a line of pino has the tenant of the scope that writes it, through awaits, and none outside', async () => {
      const lines: { msg: string; tenant?: string }[] = [];
      const logger = pino({ mixin: tenantMixin() }, { write: line => void lines.push(JSON.parse(line)) });
      logger.info('outside');
      await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          runInTenant(index % 2 === 0 ? 'acme' : 'bob', async (_em, { schemaName }) => {
            await delay(index % 5);
            logger.child({ request: index }).info({ index }, schemaName);
            await runInPublic(() => logger.warn('public'));
          }),
        ),
      );

      expect(lines).to.have.length(81);
      expect(lines.filter(({ msg, tenant }) => tenant !== (msg === 'acme' || msg === 'bob' ? msg : undefined))).to.deep.equal([]);
    });

    it('J4 the fields of other loggers never throw: outside, with a function that throws, and after the ORM is closed', async () => {
      expect(tenantFields()).to.deep.equal({});
      expect(await runInPublic(() => tenantFields())).to.deep.equal({});
      await runInTenant<void, Firm>('acme', () => {
        expect(tenantFields<Firm>({ fields: ({ label }) => ({ label }) })).to.deep.equal({ label: 'acme' });
        expect(tenantFields({ fields: () => JSON.parse('{') as object })).to.deep.equal({ tenant: 'acme' });
        expect(tenantFields({ fields: () => undefined as never })).to.deep.equal({ tenant: 'acme' });
      });
      expect(tenantFields({ orm: { config: {} } })).to.deep.equal({});
    });

    it('J4 each statement of a scope ends with the tag of its tenant as PostgreSQL sees it, and one outside has none', async () => {
      const seen = `select query from pg_stat_activity where pid = pg_backend_pid()`;
      const queryOf = async (fn: () => Promise<{ query: string }[]>): Promise<string> => (await fn())[0]!.query;
      const inTenant = (name: string): Promise<string> => runInTenant(name, em => queryOf(() => em.execute(seen)));

      // in one message with its path
      expect(await inTenant('acme')).to.include(`; ${seen} /*tenant='acme'*/\n;`);
      expect(await inTenant('bob')).to.include(`; ${seen} /*tenant='bob'*/\n;`);
      expect(await runInTenant('acme', em => queryOf(() => em.execute(`${seen} -- a comment`)))).to.include(
        `; ${seen} -- a comment\n/*tenant='acme'*/\n;`,
      );
      const qualified = 'select "query" from "pg_catalog"."pg_stat_activity" where "state" = \'active\'';
      const [{ query }] = (await runInTenant('acme', em => em.execute<{ query: string }[]>(qualified))).filter(row =>
        row.query.startsWith(qualified),
      ) as [{ query: string }];
      expect(query).to.equal(`${qualified} /*tenant='acme'*/`);
      expect(await runInTenant('acme', em => em.transactional(tx => queryOf(() => tx.execute(seen))))).to.include("/*tenant='acme'*/");
      expect(await queryOf(() => orm.em.fork().execute(seen))).to.equal(seen);
      expect(await runInPublic(em => queryOf(() => em.execute(seen)))).to.include(`; ${seen}\n;`);
    });

    it('J4 G4 what is tagged does what it did: entities, values, writes alone, streams, errors, and the guards', async () => {
      await runInTenant('acme', async em => {
        const note = em.create(Note, { text: `it's ? $1 /* not a comment */ -- nor this` });
        await em.flush();
        await em.nativeUpdate(Note, note.id, { text: 'changed' });
        expect((await em.execute<{ text: string }[]>('select text from note where id = ?', [note.id]))[0]?.text).to.equal('changed');
        const read: string[] = [];

        for await (const { text } of em.stream(Note, {})) {
          read.push(text);
        }

        expect(read).to.deep.equal(['changed']);
        expect(String(await failureOf(em.execute('select * from missing')))).to.include('missing');
        await refusal(em.find(Note, {}, { schema: 'bob' }), 'CROSS_TENANT');
        await em.insertMany(Note, [{ text: 'a' }, { text: 'b' }]);
        expect(await em.nativeDelete(Note, {})).to.equal(3);
        await em.execute('create index note_text on note (text); drop index note_text;');
      });
      // what MikroORM logs is as it was
      expect(database.statements.filter(each => each.includes('/*tenant'))).to.deep.equal([]);
    });

    it('J4 N1 no value breaks out of a tag, and a tag that cannot be made fails no statement', async () => {
      tags = ({ tenant }) => ({ label: tenant?.label, [HOSTILE]: HOSTILE, empty: undefined });
      const em = orm.em.fork();
      (await em.findOneOrFail(Firm, { schemaName: 'bob' })).label = HOSTILE.replace('\ud800', '');
      await em.flush();
      const query = await runInTenant('bob', async tx => {
        const [row] = await tx.execute<{ query: string }[]>(
          'select query from pg_stat_activity where pid = pg_backend_pid() and ? = ?',
          [1, 1],
        );

        return row!.query;
      });
      const comment = /\/\*[^]*?(?=\n;|$)/.exec(query)?.[0] ?? '';
      expect(comment).to.match(/^\/\*(?:[\w.~%-]+='[\w.~%-]*',?){2}\*\/$/);
      expect(decodeURIComponent(/label='([^']*)'/.exec(comment)![1]!)).to.equal(HOSTILE.replace('\ud800', ''));
      expect(await runInTenant('acme', tx => tx.count(Note, {}))).to.equal(0);
      tags = () => {
        throw new Error('no tags today');
      };
      expect(await runInTenant('bob', tx => tx.count(Note, {}))).to.equal(0);
    });

    it('J4 leaves no prepared statement behind, so no tag is ever that of another tenant', async () => {
      await runInTenant('acme', em => em.find(Note, { text: 'x' }));
      await runInTenant('bob', em => em.find(Note, { text: 'x' }));
      expect(await orm.em.fork().execute('select statement from pg_prepared_statements')).to.deep.equal([]);
    });
  },
  ['postgresql'],
);
