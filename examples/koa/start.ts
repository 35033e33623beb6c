import { runInPublic, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { MikroORM } from '@mikro-orm/core';
import { createApp } from './app.ts';
import { Jobs } from './jobs.ts';
import { Priority } from './entities.ts';
import config from './mikro-orm.config.ts';

const orm = await MikroORM.init<any, TenantEntityManager>(config);
await orm.migrator.up();
await tenants().migrate();
await runInPublic(em => em.upsertMany(Priority, [{ name: 'high' }, { name: 'low' }]));

const jobs = new Jobs(orm.em);
const server = createApp(orm.em, jobs).listen(Number(process.env['PORT'] ?? 3000), () => {
  const address = server.address();
  console.log(`http://localhost:${typeof address === 'object' ? address?.port : address}`);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => server.close(() => void jobs.idle().then(() => orm.close())));
}
