import { readFileSync, writeFileSync } from 'node:fs';
import { PgliteDriver } from '@mikro-orm/pglite';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { codeOfClasses, codeOfPool, known, learn } from '../../../dist/orm/seams/known-code.js';
import { ProbeWorld } from '../../../dist/orm/seams/probe-world.js';
import { openProbe } from '../../../dist/with-tenants.js';
import { tableOfSeams } from './table.ts';

/** Adds the code of the installed MikroORM to what is known. To be run where the specs have passed on that version. */
const FILE = new URL('../../../lib/orm/seams/known-hashes.ts', import.meta.url);

const versions = known();

for (const Driver of [PostgreSqlDriver, PgliteDriver]) {
  const world = new ProbeWorld(Driver, openProbe);
  versions.push(...learn([...codeOfClasses(world.orm.driver), ...codeOfPool(world)]));
  await world.close();
}

const lines = new Set(versions.map(({ name, hash, functions }) => `${name}: ${[hash, ...functions].join(' ')}`).toSorted());
const [head = ''] = readFileSync(FILE, 'utf8').split('`\n');
writeFileSync(FILE, `${head}\`\n${[...lines].join('\n')}\n\`;\n`);

const HEAD = `# What the guards rest on

The undocumented or overridden parts of MikroORM, Kysely, \`pg\` and yargs, as they are registered in \`lib/orm/seams/rows\`. They are checked when an
ORM starts (G1), those of yargs when the command line does. What is used _if there_ is not checked: without it, that one thing is not done. Written by \`npm run seams:learn\`.

| part | package | use | protects that |
| --- | --- | --- | --- |
`;

writeFileSync(new URL('../../../docs/seams.md', import.meta.url), `${HEAD}${tableOfSeams().join('\n')}\n`);
