import { MikroORM, defineEntity, p } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { TenantMixin } from '@landlord/mikro-orm';
import { isKnownCode, codeOf } from './dist/orm/seams/known-code.js';
import { ProbeWorld } from './dist/orm/seams/probe-world.js';
import { openProbe } from './dist/with-tenants.js';
import { poolOwnersOf } from './dist/orm/seams/owners.js'; import { brokenShapes } from './dist/orm/seams/shapes.js'; import { OBJECT_SEAMS } from './dist/orm/seams/register.js';
import { BASIC } from './dist/orm/seams/probes.js';
const out=[]; let t0=performance.now(); const L=(l)=>{ out.push([performance.now()-t0, l]); t0=performance.now(); }; process.on('exit', () => { for (const [t,l] of out) console.log(t.toFixed(2), l); });
class Client extends TenantMixin {}
defineEntity({ extends: TenantMixin, properties: {} , class: Client});
const Author = defineEntity({ name: 'PAuthor', schema:'*', properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('author') }});
const Book = defineEntity({ name: 'PBook', schema:'*', properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author).nullable() }});
openProbe({ driver: PostgreSqlDriver, dbName:'x', entities: [Client, Author, Book] }, Client); L('user orm, cold');
function all() {
const world = new ProbeWorld(PostgreSqlDriver, openProbe, {isWhole:false}); L('world');
isKnownCode(world.orm.driver); L('known'); const d = poolOwnersOf(world); L('pool'); brokenShapes(OBJECT_SEAMS, d); L('shapes');
for (const p of BASIC.atOnce) { p.run(world); L(p.shows[0]); }
return world;
}
const world = all();
world.record();
for (const p of BASIC.recorded) { await p.run(world); L(p.shows[0]); } await world.close(); L('close');
