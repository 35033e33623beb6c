import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { ProbeWorld, OWN, OTHER } from './dist/orm/seams/probe-world.js';
import { openProbe } from './dist/with-tenants.js';
const world = new ProbeWorld(PostgreSqlDriver, openProbe, {isWhole:true});
const { Author, Topic } = world.entities;
world.as(OWN, em => { for (const f of [q => q.select('id').leftJoin('a.mentor', 'm', {}, OTHER), q => q.select('*').leftJoin('a.pupils','m',{},OTHER), q => q.select(['id','m.name']).leftJoin('a.mentor','m',{},OTHER), q=> q.leftJoinAndSelect('a.mentor','m',{},['id'],OTHER)]) try { console.log(f(em.qb(Author,'a')).getQuery()); } catch (e) { console.log(e.code, e.message.slice(0,100)); } });
