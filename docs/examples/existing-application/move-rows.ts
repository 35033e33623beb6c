// move-rows.ts
import { tenants } from '@landlord/mikro-orm';
import { MikroORM } from '@mikro-orm/postgresql';
import type { Client } from './entities.js';
import config from './mikro-orm.config.js';

const orm = await MikroORM.init(config);
const service = tenants<Client>();
const [found] = await service.list({ only: ['acme'] }).catch(() => []);
const acme =
  found ?? (await service.create({ name: 'Acme', domainUrl: 'acme.example.com', schemaName: 'acme' }, { autoCreateSchema: false }));

const { tables } = await service.extract(acme, { keep: true });
console.log(tables.map(({ table, rows }) => `${table}: ${rows}`).join(', '));

await orm.close();
