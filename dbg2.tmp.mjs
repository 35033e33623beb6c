import { MikroORM, defineEntity, p } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { TenantMixin } from '@landlord/mikro-orm';
import { isKnownCode, codeOf } from './dist/orm/seams/known-code.js';
import { ProbeWorld } from './dist/orm/seams/probe-world.js';
import { openProbe } from './dist/with-tenants.js';
import { PROBES } from './dist/orm/seams/probes.js';
let t0=process.threadCpuUsage(); const L=(l)=>{const u=process.threadCpuUsage(t0); console.log(((u.user+u.system)/1000).toFixed(2), l); t0=process.threadCpuUsage();};
class Client extends TenantMixin {}
defineEntity({ extends: TenantMixin, properties: {} , class: Client});
const Author = defineEntity({ name: 'PAuthor', schema:'*', properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('author') }});
const Book = defineEntity({ name: 'PBook', schema:'*', properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author).nullable() }});
openProbe({ driver: PostgreSqlDriver, dbName:'x', entities: [Client, Author, Book] }, Client); L('user orm, cold');
function all() {
const world = new ProbeWorld(PostgreSqlDriver, openProbe, {isWhole:false}); L('world');
isKnownCode(world.orm.driver); L('known');
for (const p of PROBES.basic.atOnce) { p.run(world); L(p.shows[0]); }
return world;
}
const world = all();
world.record();
for (const p of PROBES.basic.recorded) { await p.run(world); L(p.shows[0]); }
