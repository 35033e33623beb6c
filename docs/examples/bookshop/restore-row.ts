import { tenants } from '@landlord/mikro-orm';
import { MikroORM } from '@mikro-orm/postgresql';
import { readFile } from 'node:fs/promises';
import type { Client } from './entities.js';
import config from './mikro-orm.config.js';

const orm = await MikroORM.init(config);
const { id, name, domain_url, schema_name, on_trial } = JSON.parse(await readFile('acme.json', 'utf8'));

// the schema is there already: it is given to the new row, and nothing in it is changed
await tenants<Client>().create({ id, name, domainUrl: domain_url, schemaName: schema_name, onTrial: on_trial }, { adoptSchema: true });

await orm.close();
