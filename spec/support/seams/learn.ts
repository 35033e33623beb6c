import { readFileSync, writeFileSync } from 'node:fs';
import { PgliteDriver } from '@mikro-orm/pglite';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { codeOfClasses, codeOfPool, learn } from '../../../dist/orm/seams/known-code.js';
import { KNOWN_CODE } from '../../../dist/orm/seams/known-hashes.js';
import { ProbeWorld } from '../../../dist/orm/seams/probe-world.js';
import { openProbe } from '../../../dist/with-tenants.js';

/** Adds the code of the installed MikroORM to what is known. To be run where the specs have passed on that version. */
const FILE = new URL('../../../lib/orm/seams/known-hashes.ts', import.meta.url);

const known = new Map(Object.entries(KNOWN_CODE).map(([name, versions]) => [name, new Map(versions)]));

for (const Driver of [PostgreSqlDriver, PgliteDriver]) {
  const world = new ProbeWorld(Driver as never, openProbe);

  for (const [name, [hash, functions]] of Object.entries(learn([...codeOfClasses(world.orm.driver), ...codeOfPool(world)]))) {
    known.set(name, (known.get(name) ?? new Map<string, readonly string[]>()).set(hash, functions));
  }

  await world.close();
}

const lines = [...known]
  .toSorted(([a], [b]) => (a < b ? -1 : 1))
  .map(([name, versions]) => `  ${JSON.stringify(name)}: ${JSON.stringify([...versions].toSorted(([a], [b]) => (a < b ? -1 : 1)))},`);
const [head = ''] = readFileSync(FILE, 'utf8').split(' = {');
writeFileSync(FILE, `${head} = {\n${lines.join('\n')}\n};\n`);
