import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referencePages } from './pages.ts';
import { ROOT } from './sources.ts';

// `--check` writes nothing, and fails where something would be written
const isCheck = process.argv.includes('--check');

for (const { path, is, hasToBe } of await referencePages()) {
  if (is !== hasToBe) {
    console.log(`${path} differs from the code${isCheck ? '. Run `npm run docs:reference`' : ', and is written anew'}.`);
    process.exitCode = isCheck ? 1 : 0;

    if (!isCheck) {
      writeFileSync(join(ROOT, path), hasToBe);
    }
  }
}
