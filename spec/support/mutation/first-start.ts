import { PgliteDriver } from '@mikro-orm/pglite';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { MikroORM } from '@mikro-orm/core';
import '../assertions/statement-watch.ts';
import { asFirst, startConfig } from '../seams/start-again.ts';

/**
 * The first specs that a mutant has to pass: an ORM looks at its guards as the first of a process does. What is imported changes MikroORM's code, as
 * in `npm test`, so that all seams are shown.
 */
describe('The first start of a process', () => {
  for (const driver of [PostgreSqlDriver, PgliteDriver]) {
    it(`G1 finds all guards of ${driver.name}`, async () => {
      await asFirst(async () => {
        const orm = await MikroORM.init(startConfig({ driver }));
        await orm.close();
      });
    });
  }
});
