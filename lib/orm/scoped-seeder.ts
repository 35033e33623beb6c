import type { WrappedOrm } from '../scope/wrapped-orm.js';

/**
 * Makes `orm.seeder` create a seed manager for the current scope. MikroORM would create one for the ORM. A seed manager forks the EntityManager
 * when it is created, so it would work for the tenant of the first call in every later scope.
 */
export function giveSeederOfScope(orm: WrappedOrm): void {
  Object.defineProperty(orm, 'seeder', {
    configurable: true,
    get: () => {
      const platform = orm.driver.getPlatform();
      const { constructor } = platform.getExtension<object>('SeedManager', '@mikro-orm/seeder', '@mikro-orm/seeder', orm.em);

      return new (constructor as new (em: WrappedOrm['em']) => object)(orm.em);
    },
  });
}
