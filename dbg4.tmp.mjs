import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { ProbeWorld } from './dist/orm/seams/probe-world.js';
import { openProbe } from './dist/with-tenants.js';
let t0=process.threadCpuUsage(); const L=(l)=>{const u=process.threadCpuUsage(t0); console.log(((u.user+u.system)/1000).toFixed(2), l); t0=process.threadCpuUsage();};
const world = new ProbeWorld(PostgreSqlDriver, openProbe, {isWhole:false}); L('world');
const c = world.orm.driver.getConnection('write'); let pool;
const d = Object.getPrototypeOf(c).createKyselyDialect.call(c, { onPoolCreated: p => (pool = p) }); L('dialect');
const k = new pool.Client({}); L('client');
d.createDriver(); L('driver');
