import { currentTenant, runInTenant, TenantConfigError, withTenants } from '@landlord/mikro-orm';
import { MikroORM, ObjectHydrator, type Options } from '@mikro-orm/core';
import { PostgreSqlDriver, SqlEntityManager } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Library } from '../../fixtures/entities/index.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { onDatabases } from '../support/databases/database.ts';
import { initLibrary, LIBRARY_ENTITIES } from '../support/orm/library-orm.ts';

/** What an application may set beside a wrapped config, as in `MikroORM.init({ ...config, driver })`. */
const REPLACEMENTS: Readonly<Record<string, unknown>> = {
  driver: PostgreSqlDriver,
  entityManager: SqlEntityManager,
  hydrator: ObjectHydrator,
  subscribers: [],
  discovery: { onMetadata: () => undefined },
};

describe('a wrapped config in which something was replaced', () => {
  for (const [name, value] of Object.entries(REPLACEMENTS)) {
    it(`W1 does not start with another \`${name}\`, and nothing is sent`, async () => {
      const error = await failureOf(MikroORM.init({ ...wrapped(), [name]: value } as never));

      expect(error).to.be.instanceOf(TenantConfigError);
      expect((error as TenantConfigError).problems).to.have.length(1);
      expect((error as TenantConfigError).problems[0]).to.match(new RegExp(`^\`${name}\` was set after the config was wrapped`));
    });
  }

  it('W1 names all that was replaced', async () => {
    const error = await failureOf(MikroORM.init({ ...wrapped(), ...REPLACEMENTS } as never));

    expect((error as TenantConfigError).problems).to.have.length(Object.keys(REPLACEMENTS).length);
  });
});

onDatabases(
  'a wrapped config to which something was added',
  database => {
    it('W1 starts with settings that keep no tenants apart, and with classes that extend its own', async () => {
      const first = await initLibrary(database);
      const { driver, subscribers, ...others } = first.config.getAll();
      await first.close();
      class Driver extends (driver as typeof PostgreSqlDriver) {}
      class Subscriber {}
      const orm = await MikroORM.init({
        ...others,
        driver: Driver,
        subscribers: [...subscribers, new Subscriber()],
        debug: false,
      } as Options);
      database.atEnd(() => orm.close());
      await orm.migrator.up();
      await orm.em
        .fork()
        .persist(new Library({ name: 'Acme', domainUrl: 'acme.example.com', schemaName: 'acme' }))
        .flush();

      expect(await runInTenant('acme', async () => currentTenant()?.schemaName)).to.equal('acme');
    });
  },
  ['postgresql', 'pglite'],
);

function wrapped(): object {
  const config = { driver: PostgreSqlDriver, dbName: 'never_connected', entities: LIBRARY_ENTITIES };

  return withTenants(config as Partial<Options<PostgreSqlDriver, any, any>>, { tenant: Library });
}
