import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referencePages } from './pages.ts';
import { ROOT } from './sources.ts';

for (const { path, is, hasToBe } of await referencePages()) {
  if (is !== hasToBe) {
    writeFileSync(join(ROOT, path), hasToBe);
    console.log(`${path} is written anew`);
  }
}
