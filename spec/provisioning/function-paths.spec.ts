import { runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Tag } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { schemaNames } from '../support/databases/catalog.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';

onDatabasesAndPooler('functions of a tenant that have a path of their own', database => {
  let orm: LibraryOrm;

  const create = (name: string, domainUrl = `${name}.example.com`): Promise<void> =>
    orm.em.fork().persistAndFlush(newLibrary(name, { domainUrl }));
  const names = async (schema: string): Promise<unknown[]> =>
    (await database.query<{ name: string }>(`select name from ${schema}.tag order by name`)).map(({ name }) => name);

  before(async () => {
    orm = await openLibrary(database);
  });

  it('C1, T20 follow a rename, and never write to whoever has the former name next', async () => {
    await create('acme');
    await runInTenant('acme', async em => {
      for (const sql of [
        `create function echo() returns trigger language plpgsql set search_path from current as $$ begin if new.name not like 'echo%' then insert into tag (id, name) values (new.id + 1000, 'echo of ' || new.name); end if; return new; end $$`,
        'create trigger echo after insert on tag for each row execute function echo()',
        `create procedure "OddName"(a int, inout b text default '') language plpgsql set search_path = "acme", public as $$ begin insert into tag (id, name) values (a, 'odd'); end $$`,
      ]) {
        await em.execute(sql);
      }
    });
    await tenants(orm).rename('acme', 'acme2');
    await create('acme', 'next.example.com');

    await runInTenant('acme2', async em => {
      await em.persistAndFlush(em.create(Tag, { name: 'one' }));
      await em.execute(`call "OddName"(500, '')`);
    });
    expect(await names('acme2')).to.deep.equal(['echo of odd', 'echo of one', 'odd', 'one']);
    expect(await names('acme')).to.deep.equal([]);
    expect(
      await database.query(`select proname, proconfig::text as config from pg_proc where pronamespace = 'acme2'::regnamespace order by 1`),
    ).to.deep.equal([
      { proname: 'OddName', config: '{"search_path=acme2, public"}' },
      { proname: 'echo', config: '{"search_path=acme2, public, pg_temp"}' },
    ]);
  });

  it('C1, L3 follow a soft deletion and a restore, and do not keep the name from a new tenant', async () => {
    await create('soft');
    await runInTenant('soft', em =>
      em.execute(
        `create procedure note(a int) language plpgsql set search_path = soft as $$ begin insert into tag (id, name) values (a, 'noted'); end $$`,
      ),
    );
    await tenants(orm).drop('soft', { soft: true });
    await create('soft');
    await tenants(orm).restore('soft', { schemaName: 'soft_2', domainUrl: 'soft-2.example.com' });
    await runInTenant('soft_2', em => em.execute('call note(1)'));

    expect([await names('soft'), await names('soft_2')]).to.deep.equal([[], ['noted']]);
    await tenants(orm).drop('soft');
    await tenants(orm).drop('soft_2');
  });

  for (const [what, sql] of [
    [
      'text of a function',
      `create function own.f() returns bigint language plpgsql as $$ begin return (select count(*) from own.tag); end $$`,
    ],
    ['setting of a function', `create function own.f() returns int language sql set custom.place = 'own.tag' as 'select 1'`],
    [
      'argument of a trigger',
      `create function own.t() returns trigger language plpgsql as 'begin return new; end'; create trigger t after insert on own.tag for each row execute function own.t('own.tag')`,
    ],
  ] as const) {
    it(`C1, T20 a ${what} of the schema that names it is refused with the list`, async () => {
      await create('own');
      for (const each of sql.split('; create trigger')) {
        await database.query(each.startsWith('create') ? each : `create trigger${each}`);
      }

      expect(await refusal(tenants(orm).rename('own', 'own2'))).to.deep.include({
        code: 'SCHEMA_IN_USE',
        dependents: [what === 'argument of a trigger' ? 'trigger t on own.tag' : 'function own.f()'],
      });
      expect(await schemaNames(database))
        .to.include('own')
        .and.not.to.include('own2');
      await orm.em.getDriver().execute(`delete from public.library where schema_name = 'own'`);
      await database.query('drop schema own cascade');
    });
  }

  it('C1, T20 a new tenant does not get a name that is on the path of a function elsewhere', async () => {
    await database.query(`create function public.left_over() returns int language sql set search_path = former, public as 'select 1'`);

    expect(await refusal(create('former'))).to.deep.include({ code: 'SCHEMA_IN_USE', dependents: ['function public.left_over()'] });
    expect(await refusal(tenants(orm).rename('acme', 'former'))).to.deep.include({ code: 'SCHEMA_IN_USE' });
    expect(await schemaNames(database)).to.not.include('former');
    await database.query('drop function public.left_over()');
    await create('former');
  });
});
