import { MikroORM, defineEntity, p } from '@mikro-orm/core';
import { PostgreSqlDriver, defineConfig } from '@mikro-orm/postgresql';
import { withTenants, TenantMixin, runInTenant } from '@landlord/mikro-orm';
class Client extends TenantMixin {}
const ClientSchema = defineEntity({ name: 'Client', extends: 'TenantMixin', properties: {} , class: Client});
const Author = defineEntity({ name: 'PAuthor', schema:'*', properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('author') }});
const Book = defineEntity({ name: 'PBook', schema:'*', properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author).nullable() }});
const a=process.threadCpuUsage(); const a1=performance.now();
const orm = await MikroORM.init(withTenants({ driver: PostgreSqlDriver, dbName:'x', entities: [Client, Author, Book] }, { tenant: Client }));
const u=process.threadCpuUsage(a); console.log('init: cpu', (u.user/1000+u.system/1000).toFixed(2), 'wall', (performance.now()-a1).toFixed(2));

if (process.env.FIRST) { const b=process.threadCpuUsage(a); await runInTenant('acme', async () => { orm.em.qb(Author,'a').select('*').leftJoin('a.books','b').where({name:'x'}).getQuery(); orm.em.getKysely().selectFrom('p_author').selectAll().compile(); await orm.em.find(Author,{name:'x'}).catch(()=>0); orm.em.create(Author,{name:'x'}); await orm.em.flush().catch(()=>0); }, {orm}).catch(()=>0); const u2=process.threadCpuUsage(a); console.log('first: cpu', (u2.user/1000+u2.system/1000).toFixed(2), 'wall', (performance.now()-a1).toFixed(2)); }
await orm.close(true).catch(()=>0); process.exit();
