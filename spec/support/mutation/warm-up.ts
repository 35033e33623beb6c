import '../assertions/statement-watch.ts';
import { PgliteDriver } from '@mikro-orm/pglite';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { MikroORM } from '@mikro-orm/core';
import { startConfig } from '../seams/start-again.ts';

/**
 * The first ORMs of a process look at all guards: without this, every file of specs would be taken to be about those. It is loaded by Mocha, as only
 * that shares its modules with the specs. What is imported changes MikroORM's code, as in `npm test`, so that all seams are shown.
 */
(globalThis as { warmUp?: () => Promise<void> }).warmUp = async () => {
  for (const driver of [PostgreSqlDriver, PgliteDriver]) {
    const orm = await MikroORM.init(startConfig({ driver }));
    await orm.close();
  }
};
