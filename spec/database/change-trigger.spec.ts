import { TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { channelOf } from '../../dist/database/change-channel.js';
import { onDatabases, type DatabaseKind } from '../support/databases/database.ts';
import { newClient, ClientSchema, migrationsFolder, openEvolving } from '../support/orm/evolving-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';
import { until } from '../support/assertions/until.ts';
import { visitorOf, type Visit } from '../support/web/visitor.ts';

void TenantMixin;

describeTrigger('public', ['postgresql', 'pglite']);
describeTrigger('commons', ['postgresql', 'pglite']);

describe('the channel for changed tenants', () => {
  it('H10 has the name that the triggers in migrations of users have had from the first', () => {
    const long = 'a'.repeat(30);

    expect(channelOf('public', 'client')).to.equal('landlord:public.client');
    // what PostgreSQL still takes as it is
    expect(channelOf(long, `${long.slice(7)}`)).to.equal(`landlord:${long}.${long.slice(7)}`);
    expect(channelOf(long, long.slice(6))).to.equal('landlord:44bbcd9912fc2426821e6d853b2e092a20f6dd95');
  });
});

function describeTrigger(publicSchema: string, kinds: readonly DatabaseKind[]): void {
  onDatabases(
    `the trigger of the tenants' table in ${publicSchema}`,
    database => {
      const note = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary() } });
      let folder: Awaited<ReturnType<typeof migrationsFolder>>;
      let orm: SpecOrm;
      let visit: (host: string) => Promise<Visit>;
      const table = `${publicSchema}.client`;

      before(async () => {
        folder = await migrationsFolder();
        await open(false);
        await orm.migrator.create();
        await orm.migrator.up();
        await orm.em.fork().persistAndFlush([newClient('acme'), newClient('bob')]);
      });

      after(() => folder.remove());

      it('H10 is written by the next migration of the public set when it is asked for, and then no more', async () => {
        await open(true);
        const { diff } = await orm.migrator.create();
        await orm.migrator.up();

        expect(diff.up.join('\n')).to.match(
          /create or replace function .*create trigger "landlord_directory" AFTER INSERT OR UPDATE OR DELETE/s,
        );
        expect(diff.down.join('\n')).to.match(/drop trigger .*drop function/s);
        expect((await orm.migrator.create()).fileName).to.equal('');
        expect(await orm.schema.getUpdateSchemaSQL()).to.equal('');
        expect(await triggers()).to.equal(1);
      });

      it('H10 tells of changes by plain SQL: each row that is inserted, updated, moved, renamed or deleted', async () => {
        await knows('acme.example.com', 'acme');
        await database.query(`update ${table} set name = 'by hand' where schema_name = 'acme'`);
        await until('the name is seen', async () => (await visit('acme.example.com')).tenant?.['name' as never] === 'by hand');
        const heard: string[] = [];
        const stop = await listen(heard);

        await knows('bob.example.com', 'bob');
        await database.query(`update ${table} set domain_url = 'robert.example.com' where schema_name = 'bob'`);
        await knows('bob.example.com', 'HOST_UNKNOWN');
        await knows('robert.example.com', 'bob');
        await database.query(`update ${table} set schema_name = 'robert' where schema_name = 'bob'`);
        await knows('robert.example.com', 'robert');
        await database.query(`delete from ${table} where schema_name = 'robert'`);
        await knows('robert.example.com', 'HOST_UNKNOWN');
        await database.query(`insert into ${table} (name, schema_name, domain_url) values ('bob', 'bob', 'robert.example.com')`);
        await knows('robert.example.com', 'bob');

        // without notices, each of the changes would be seen a second later
        expect(heard).to.deep.equal(['bob', 'bob', 'robert', 'robert', 'bob']);
        await stop();
      });

      it('H10 tells nothing twice of a change by a flush, nor of one that is rolled back', async () => {
        const heard: string[] = [];
        const stop = await listen(heard);
        await orm.em.fork().persistAndFlush(newClient('carl'));
        const em = orm.em.fork();
        (await em.findOneOrFail(ClientSchema, { schemaName: 'carl' })).schemaName = 'charles';
        await em.flush();
        await database.query(`begin`);
        await database.query(`update ${table} set name = 'no'`);
        await database.query(`rollback`);
        await database.query(`update ${table} set name = 'last' where schema_name = 'acme'`);

        await until('the last is heard', () => heard.includes('acme'));
        expect(heard).to.deep.equal(['carl', 'carl', 'charles', 'acme']);
        await stop();
      });

      it('H10 goes with the next migration when it is not asked for any more', async () => {
        await open(false);
        const { diff } = await orm.migrator.create();
        await orm.migrator.up();

        expect(diff.up.join('\n')).to.match(/drop trigger .*drop function/s);
        expect(await triggers()).to.equal(0);
        expect((await orm.migrator.create()).fileName).to.equal('');

        await orm.migrator.down();
        expect(await triggers()).to.equal(1);
      });

      async function open(trigger: boolean): Promise<void> {
        await orm?.close();
        orm = await openEvolving(database, folder.path, [note], { options: { publicSchema, directory: { trigger } } });
        visit = visitorOf(orm as never);
      }

      async function triggers(): Promise<number> {
        const [row] = await database.query<{ count: number }>(
          `select count(*)::int as count from pg_trigger where tgname = 'landlord_directory' and tgrelid = '${table}'::regclass`,
        );

        return row?.count ?? 0;
      }

      async function knows(host: string, served: string): Promise<void> {
        await until(`${host} is ${served}`, async () => (await visit(host)).served === served);
      }

      async function listen(heard: string[]): Promise<() => Promise<void>> {
        const native: any = await orm.em.getConnection().getNativeClient();
        const channel = `"landlord:${publicSchema}.client"`;
        const hear = (payload: string): void => {
          if (!payload.startsWith('?')) {
            heard.push(payload);
          }
        };

        if (database.kind === 'pglite') {
          return native.listen(channel, hear);
        }

        const client = await native.connect();
        client.on('notification', ({ payload }: { payload: string }) => hear(payload));
        await client.query(`listen ${channel}`);

        return async () => client.release(true);
      }
    },
    kinds,
  );
}
