import { findUses } from './spec/support/seams/find-uses.ts';
import { SEAMS } from './dist/orm/seams/register.js';
import { readFileSync, globSync } from 'node:fs';
const names = new Set<string>();
for (const pkg of ['core','sql','migrations']) for (const f of globSync(`node_modules/@mikro-orm/${pkg}/**/*.d.ts`)) {
  for (const m of readFileSync(f,'utf8').matchAll(/\/\*\*(?:(?!\*\/)[^])*?@internal(?:(?!\*\/)[^])*?\*\/\s*(?:(?:static|readonly|protected|private|abstract|get|set|async|export|declare|const|function|class|interface|type) +)*([\w$]+)/g)) names.add(m[1]!);
}
const sources = new Map(globSync('lib/**/*.ts').map(f => [f.slice(4), readFileSync(f,'utf8')] as const).filter(([f])=>!f.startsWith('orm/seams')&&f!=='migrations/run/seam-probes.ts'));
const uses = findUses(sources, names);
const bad = uses.filter(u => !SEAMS.some(s => s.member===u.member && s.usedIn.some(f => f === u.file || (u.by !== undefined && sources.get(f)?.includes(u.by)))));
const by: any = {};
for (const u of bad) (by[u.kind] ??= {})[u.file] = [...(by[u.kind][u.file]??[]), u.member + (SEAMS.some(s=>s.member===u.member)?'*':'')];
console.log(uses.length, bad.length); console.dir(by,{depth:null,maxArrayLength:null});
for (const s of SEAMS) for (const f of s.usedIn) { const src = sources.get(f); if (!src) console.log('NO FILE', s.name, f); else if (!new RegExp(`(?<![\\w$])${s.member}(?![\\w$])`).test(src.replace(/\/\*\*[^]*?\*\/|\/\/.*/g,''))) console.log('UNUSED', s.name, f); }
