import { execFileSync } from 'node:child_process';
import { RENAMES } from './spec/support/seams/renames.ts';
const only = process.argv[2];
for (const [name, rewrites] of Object.entries({ none: [], ...RENAMES })) { if (only && name !== only) continue; for (const how of ['init', 'new']) {
  let out = ''; try { out = execFileSync(process.execPath, ['--import', './spec/support/seams/rename-sources.mjs', 'spec/support/seams/start-orm.mjs', how], { env: { ...process.env, REWRITES: JSON.stringify(rewrites) }, encoding: 'utf8', stdio: ['ignore','pipe','pipe'] }); } catch (e: any) { out = 'CRASH ' + String(e.stderr).slice(0, 600); }
  console.log(name, how, out.slice(0, only ? 3000 : 330).trim()); } }
