import { runInPublic, runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { AsyncLocalStorage } from 'node:async_hooks';
import { refuseOtherSchemas } from '../../dist/orm/refuse-other-schemas.js';
import { refuseTenantTables } from '../../dist/orm/refuse-tenant-tables.js';
import { TenantRules } from '../../dist/scope/tenant-rules.js';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { contentsOf, openTwins } from '../support/orm/twins.ts';

/** What takes a text that is no schema's name: a migration, a file, an event, a database, SQL. */
const TAKE_OTHER_TEXTS = [
  'create',
  'createDatabase',
  'createInitial',
  'down',
  'dropDatabase',
  'execute',
  'getMigrationName',
  'logMigration',
  'off',
  'on',
  'rollup',
  'unlogMigration',
  'up',
];

onDatabases('the schema generator and the migrator in a scope', database => {
  let orm: LibraryOrm;

  const tools = (): Record<string, object> => ({ schema: orm.schema, migrator: orm.migrator, storage: orm.migrator.getStorage() });

  before(async () => {
    orm = await openTwins(database);
  });

  beforeEach(() => {
    database.statements.length = 0;
  });

  it('S15 every method of theirs refuses another tenant’s schema among its options', async () => {
    const before = await contentsOf(database, 'bob');
    let count = 0;

    await runInTenant('acme', async () => {
      database.statements.length = 0;

      for (const [tool, object] of Object.entries(tools())) {
        for (const [name, method] of methodsOf(object)) {
          for (const args of [[{ schema: 'bob' }], ['x', { schema: 'bob' }], ['x', 'y', { schema: 'bob', wrap: false }]]) {
            await refusal(
              () => Reflect.apply(method, object, args),
              name === 'dropDatabase' ? 'PUBLIC_CONTEXT_REQUIRED' : 'CROSS_TENANT',
              `${tool}.${name}`,
            );
            count += 1;
          }
        }
      }
    });

    expect(count).to.be.greaterThan(100);
    expect(database.statements).to.deep.equal([]);
    expect(await contentsOf(database, 'bob')).to.deep.equal(before);
  });

  it('S15 every method of theirs that takes names refuses another tenant’s', async () => {
    let count = 0;

    await runInTenant('acme', async () => {
      database.statements.length = 0;

      for (const [tool, object] of Object.entries(tools())) {
        for (const [name, method] of methodsOf(object).filter(([each]) => !TAKE_OTHER_TEXTS.includes(each))) {
          for (const args of name === 'dropTableIfExists' ? [['bob.book'], ['book', 'bob']] : [['bob'], [undefined, 'bob']]) {
            await refusal(() => Reflect.apply(method, object, args), 'CROSS_TENANT', `${tool}.${name}`);
            count += 1;
          }
        }
      }
    });

    expect(count).to.be.greaterThan(50);
    expect(database.statements).to.deep.equal([]);
  });

  it('S15 takes a text that is no schema’s name for what it is', async () => {
    const rules = TenantRules.of(orm.config);

    await runInTenant('acme', async () => {
      for (const name of TAKE_OTHER_TEXTS.filter(each => each !== 'dropDatabase')) {
        expect(refuseOtherSchemas(name, ['bob'], rules), name).to.equal(undefined);
      }

      expect(refuseOtherSchemas('dropTableIfExists', ['acme.book'], rules)).to.include({ schemaName: 'acme' });
      expect(refuseOtherSchemas('dropTableIfExists', ['book', 'public'], rules)).to.equal(undefined);
    });

    refuseTenantTables('@mikro-orm/migrator', 'up', ['bob', {}], rules);
  });

  it('S15 refuses every schema that is not the tenant’s own or shared, whosever it is', async () => {
    await runInTenant('acme', async () => {
      for (const schema of ['nobody', '*', 'pg_catalog', 'ACME', '']) {
        await refusal(() => orm.schema.getUpdateSchemaSQL({ schema }), 'CROSS_TENANT', schema);
      }
    });
  });

  it('S15 what makes, changes or drops tables takes no schema of a tenant, in whatever scope, and says what was called', async () => {
    const calls: Readonly<Record<string, (options: any) => unknown>> = {
      '`create()` of the schema generator': options => orm.schema.create(options),
      '`update()` of the schema generator': options => orm.schema.update(options),
      '`refresh()` of the schema generator': options => orm.schema.refresh(options),
      '`drop()` of the schema generator': options => orm.schema.drop(options),
      '`up()` of the migrator': options => orm.migrator.up(options),
      '`down()` of the migrator': options => orm.migrator.down(options),
    };
    const before = await contentsOf(database, 'acme');
    const scopes = { none: leave, public: runInPublic, acme: (fn: () => Promise<void>) => runInTenant('acme', fn) };
    database.statements.length = 0;

    for (const [scope, enter] of Object.entries(scopes)) {
      await enter(async () => {
        for (const [call, run] of Object.entries(calls)) {
          const { message } = await refusal(async () => run({ schema: 'acme' }), 'RUN_USAGE', `${call} in ${scope}`);
          expect(message).to.include(`${call} was given the schema "acme"`);
        }
      });
    }

    const { message } = await refusal(async () => orm.schema.drop({ schema: { name: 'acme' } as never }), 'RUN_USAGE');
    expect(message).to.include('was given the schema "object"');
    expect(database.statements.filter(sql => /create|alter|drop|insert|delete/.test(sql))).to.deep.equal([]);
    expect(await contentsOf(database, 'acme')).to.deep.equal(before);
  });

  it('S15 drops no database from inside a tenant', async () => {
    await runInTenant('acme', async () => {
      await refusal(() => orm.schema.drop({ dropDb: true }), 'PUBLIC_CONTEXT_REQUIRED');
      await refusal(() => orm.schema.refresh({ dropDb: true }), 'PUBLIC_CONTEXT_REQUIRED');
      await refusal(() => orm.schema.dropDatabase(), 'PUBLIC_CONTEXT_REQUIRED');
    });
    expect(database.statements.filter(statement => /drop/i.test(statement))).to.deep.equal([]);
  });

  it('S15 serves the tenant’s own schema and the public one, and outside of scopes whichever is named', async () => {
    const diff = (schema?: string): Promise<string> => orm.schema.getUpdateSchemaSQL(schema === undefined ? {} : { schema });
    const executed = (schema: string): Promise<unknown> => orm.migrator.getExecuted({ schema });
    const outside = [await diff(), await executed('acme'), await executed('bob')];

    expect(await runInTenant('acme', () => Promise.all([diff(), diff('public')]))).to.deep.equal([outside[0], outside[0]]);
    expect(await runInTenant('acme', () => executed('acme'))).to.deep.equal(outside[1]);
    expect(await runInPublic(() => executed('bob'))).to.deep.equal(outside[2]);
    expect(await runInTenant('acme', () => orm.migrator.getPending())).to.deep.equal(await orm.migrator.getPending());
  });

  it('S15, S12 takes the scope’s own name for nobody who has it later', async () => {
    await runInTenant('acme', async () => {
      await leave(async () => {
        await tenants(orm).rename('acme', 'elsewhere');
        await tenants(orm).rename('bob', 'acme');
      });
      await refusal(() => orm.schema.drop({ schema: 'acme' }), 'TENANT_CHANGED');
      await refusal(() => orm.migrator.getExecuted({ schema: 'acme' }), 'TENANT_CHANGED');
    });
    expect((await database.query('select title from acme.book where id = 1'))[0]).to.deep.equal({ title: 'bob book 1' });
  });
});

/** Runs `fn` in no scope. */
const leave = AsyncLocalStorage.snapshot() as <Result>(fn: () => Result) => Result;

/** Every method of the object and of its classes. */
function methodsOf(object: object): [string, (...args: unknown[]) => unknown][] {
  const names = new Set<string>();

  for (let prototype: object | null = Object.getPrototypeOf(object) as object; prototype !== null && prototype !== Object.prototype;) {
    Object.getOwnPropertyNames(prototype).forEach(name => names.add(name));
    prototype = Object.getPrototypeOf(prototype) as object | null;
  }

  return [...names]
    .filter(name => name !== 'constructor')
    .map(name => [name, (object as Record<string, unknown>)[name]] as const)
    .filter((entry): entry is [string, (...args: unknown[]) => unknown] => typeof entry[1] === 'function');
}
