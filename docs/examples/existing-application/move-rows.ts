// move-rows.ts
import { runInTenant } from '@landlord/mikro-orm';
import { MikroORM } from '@mikro-orm/postgresql';
import { Client } from './entities.js';
import config from './mikro-orm.config.js';

// each table after those that it refers to, with its columns
const TABLES = { author: 'id, name', book: 'id, title, author_id' };
const WITH_SERIAL_ID = ['author', 'book'];

const orm = await MikroORM.init(config);

await orm.em.fork().transactional(async em => {
  const acme = new Client({ name: 'Acme', domainUrl: 'acme.example.com', schemaName: 'acme' });
  await em.persistAndFlush(acme);

  await runInTenant(acme, async inner => {
    for (const [table, columns] of Object.entries(TABLES)) {
      await inner.execute(`insert into ${table} (${columns}) select ${columns} from public.${table}`);
    }

    // the next row gets the next id
    for (const table of WITH_SERIAL_ID) {
      await inner.execute(`select setval(pg_get_serial_sequence('${table}', 'id'), max(id)) from ${table}`);
    }
  });
});

await orm.close();
