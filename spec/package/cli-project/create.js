import { MikroORM } from '@mikro-orm/core';
import { Client } from './entities.js';
import config from './mikro-orm.config.js';

const orm = await MikroORM.init(config);

for (const schemaName of process.argv.slice(2)) {
  await orm.em.fork().persistAndFlush(new Client({ name: schemaName, domainUrl: `${schemaName}.example.com`, schemaName }));
}

await orm.close();
