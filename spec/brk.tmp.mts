import { MikroORM, ObjectHydrator, Collection, Configuration } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { AbstractSqlConnection } from '@mikro-orm/sql';
import { guardedDriverOf, guardedEntityManagerOf, guardedHydratorOf } from '../dist/orm/guarded-classes.js';
import { checkSeams, forgetSeams } from '../dist/orm/seams/check-seams.js';
import { forgetShapes } from '../dist/orm/seams/check-shapes.js';
import { ownersOf } from '../dist/orm/seams/owners.js';
import { ProbeEntityManager } from '../dist/orm/seams/probe-world.js';
import { SEAMS } from '../dist/orm/seams/register.js';
import { TenantQueryBuilder } from '../dist/query/tenant-query-builder.js';
import { GuardedQueryHelper } from '../dist/query/guarded-query-helper.js';
import { withTenants, TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';

class Client extends TenantMixin {}
defineEntity({ extends: TenantMixin, properties: {} , class: Client});
const Author = defineEntity({ name: 'PAuthor', schema:'*', properties: { id: p.integer().primary() }});
const open = async () => { const orm = await MikroORM.init(withTenants({ driver: PostgreSqlDriver, dbName:'x', entities: [Client, Author] } as any, { tenant: Client as any }) as any); await orm.close(); };
await open();
const d = new PostgreSqlDriver(new Configuration({driver: PostgreSqlDriver, dbName:'x', entities:[Client]} as any) as any);
const owners: any = ownersOf(d as any);
const protos = (C: any, until: any) => { const r=[]; for (let o = C.prototype; o !== until; o = Object.getPrototypeOf(o)) r.push(o); return r; };
const OURS: any = { EntityManager: protos(guardedEntityManagerOf(ProbeEntityManager as any), ProbeEntityManager.prototype), AbstractSqlDriver: protos(guardedDriverOf(PostgreSqlDriver as any), PostgreSqlDriver.prototype), QueryBuilder: [TenantQueryBuilder.prototype], QueryBuilderHelper: [GuardedQueryHelper.prototype], Hydrator: [guardedHydratorOf(ObjectHydrator).prototype] };
OURS.SqlEntityManager = OURS.EntityManager;
const holder = (o: any, m: string) => { for (; o; o = Object.getPrototypeOf(o)) if (Object.hasOwn(o, m)) return o; };
const set = (o: any, m: string, desc: PropertyDescriptor) => { const old = Object.getOwnPropertyDescriptor(o, m)!; Object.defineProperty(o, m, { ...desc, configurable: true }); return () => Object.defineProperty(o, m, old); };
const del = (o: any, m: string) => { const old = Object.getOwnPropertyDescriptor(o, m)!; delete o[m]; return () => Object.defineProperty(o, m, old); };
const shift = (i: number, fn: Function) => function (this: any, ...a: any[]) { a.splice(i, 0, undefined); return fn.apply(this, a); };
const unshift = (i: number, fn: Function) => function (this: any, ...a: any[]) { a.splice(i, 1); return fn.apply(this, a); };
async function attempt(label: string, name: string, undo: () => void) {
  forgetSeams(); forgetShapes();
  try { await open(); console.log('OPEN', label); } catch (e: any) {
    if (e.code !== 'TENANT_CONFIG') console.log('OTHER', label, String(e).slice(0, 150));
    else if (!e.problems.some((p: string) => p.startsWith(name + ' '))) console.log('UNNAMED', label, e.problems.map((p: string) => p.split(' ')[0]).slice(0, 5).join(' ') + (process.env.V ? e.message : ''));
  } finally { undo(); }
}
const only = process.argv[2];
for (const s of SEAMS as any[]) {
  if (only && s.name !== only) continue;
  const owner = owners[s.owner]; if (!owner || s.onObject) continue;
  const h = holder(owner, s.member); const hs: any[] = []; for (let o = owner; o; o = Object.getPrototypeOf(o)) if (Object.hasOwn(o, s.member)) hs.push(o);
  { const undos = hs.map(x => { const desc = Object.getOwnPropertyDescriptor(x, s.member)!; const u = del(x, s.member); Object.defineProperty(x, s.member + 'X', { ...desc, configurable: true }); return () => { delete x[s.member + 'X']; u(); }; }); await attempt('renamed ' + s.name, s.name, () => undos.forEach(u => u())); }
  if (s.use === 'override' && OURS[s.owner]) {
    for (const o of OURS[s.owner].filter((o: any) => Object.hasOwn(o, s.member))) {
      if (s.by) await attempt('uncalled ' + s.name, s.name, del(o, s.member));
      for (const i of s.reads ?? []) { const a = set(o, s.member, { value: shift(i, o[s.member]), writable: true }); const b = set(h, s.member, { value: Object.defineProperty(unshift(i, h[s.member]), 'length', { value: h[s.member].length }), writable: true }); await attempt(`moved ${i} ` + s.name, s.name, () => { a(); b(); }); }
    }
  }
  if (s.use === 'replace' && ['AbstractSqlConnection', 'Platform', 'UnitOfWork', 'ChangeSetPersister', 'Configuration'].includes(s.owner)) {
    const fn = h[s.member]; const K = Symbol();
    if (s.by) await attempt('uncalled ' + s.name, s.name, set(h, s.member, { get: () => fn, set: () => undefined }));
    for (const i of s.reads ?? []) await attempt(`moved ${i} ` + s.name, s.name, set(h, s.member, { get(this: any) { return this[K] ? Object.defineProperty(shift(i, this[K]), 'length', {value: fn.length}) : Object.defineProperty(unshift(i, fn), 'length', {value: fn.length}); }, set(this: any, v) { this[K] = v; } }));
  }
}
forgetSeams(); forgetShapes(); await open(); console.log('still fine');
