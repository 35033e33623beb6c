import type { WrappedOrm } from '../scope/wrapped-orm.js';

/**
 * Makes `orm.seeder` the one of the scope it is asked for in. A seed manager forks the EntityManager when it is made, and MikroORM
 * makes one for the ORM: it would go on with whichever tenant it was first asked for in.
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
