import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { isKnownCode, codeOf } from './dist/orm/seams/known-code.js';
import { ProbeWorld } from './dist/orm/seams/probe-world.js';
import { openProbe } from './dist/with-tenants.js';
import { PROBES } from './dist/orm/seams/probes.js';
let t0=process.threadCpuUsage(); const L=(l)=>{const u=process.threadCpuUsage(t0); console.log(((u.user+u.system)/1000).toFixed(2), l); t0=process.threadCpuUsage();};
const world0 = new ProbeWorld(PostgreSqlDriver, openProbe, {isWhole:false}); L('world cold');
const world = new ProbeWorld(PostgreSqlDriver, openProbe, {isWhole:false}); L('world warm');
console.log(isKnownCode(world.orm.driver)); L('known');
if (process.argv[2]) for (const [k,v] of Object.entries(codeOf(world.orm.driver))) console.log(k, v[1].length, v[1].join(' ').slice(0,300));
L('');
for (const p of PROBES.basic.atOnce) { p.run(world); L(p.shows.join()); }
world.record();
for (const p of PROBES.basic.recorded) { await p.run(world); L(p.shows.join()); }
