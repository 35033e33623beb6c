// move-rows.ts
import { runInTenant, tenants } from '@landlord/mikro-orm';
import { MikroORM } from '@mikro-orm/postgresql';
import { Customer } from './entities.js';
import config from './mikro-orm.config.js';

// each table after those that it refers to, with its columns, and which rows of it are a customer's
const TABLES = [{ table: 'book', columns: 'id, title', condition: 'customer_id = ?' }];

const orm = await MikroORM.init(config);

for (const { schemaName, hasSchema } of (await tenants<Customer>().status()).tenants) {
  if (hasSchema) {
    console.log(`${schemaName}: is there already`);
    continue;
  }

  // a transaction for each customer: what is done stays done, if the next one fails
  await orm.em.fork().transactional(async em => {
    const customer = await em.findOneOrFail(Customer, { schemaName });
    await tenants<Customer>().provision(customer);

    await runInTenant(customer, async inner => {
      for (const { table, columns, condition } of TABLES) {
        await inner.execute(`insert into ${table} (${columns}) select ${columns} from public.${table} where ${condition}`, [customer.id]);
        // the next row gets the next id; a customer may have none
        await inner.execute(
          `select setval(pg_get_serial_sequence('${table}', 'id'), coalesce(max(id), 1), max(id) is not null) from ${table}`,
        );
      }
    });
  });
  console.log(`${schemaName}: moved`);
}

await orm.close();
