import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../orm/library-orm.ts';

/** A file that the pages of the documentation show. */
export function exampleCode(file: string): string {
  return readFileSync(join(ROOT, 'docs/examples', file), 'utf8');
}
