import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { ROOT } from '../support/orm/library-orm.ts';

describe('the root entry', () => {
  it('G3 reaches nothing of the kit for tests, and the kit of no runner reaches another', () => {
    const kits = (entry: string): string[] =>
      reachedFrom(join(ROOT, 'dist', entry))
        .filter(file => file.includes('/dist/testing/'))
        .map(file => file.split('/dist/testing/')[1] ?? '');

    expect(kits('index.js')).to.deep.equal([]);
    expect(kits('testing/index.js')).to.include('kit.js');
    expect(kits('testing/index.js').filter(file => file.startsWith('runners/'))).to.deep.equal([]);
    expect(kits('testing/runners/mocha.js').filter(file => file.startsWith('runners/'))).to.have.members([
      'runners/mocha.js',
      'runners/worker-kit.js',
    ]);
  });
});

function reachedFrom(entry: string, seen = new Set<string>()): string[] {
  if (!seen.has(entry)) {
    seen.add(entry);

    for (const [, specifier = ''] of readFileSync(entry, 'utf8').matchAll(/(?:\bfrom|\bimport\()\s*'(\.[^']+)'/g)) {
      reachedFrom(join(dirname(entry), specifier), seen);
    }
  }

  return [...seen];
}
