import { expect } from 'chai';
import { findNoticed, nextGroup, type RunMutants, type Which } from './groups.ts';

describe('a group of mutants', () => {
  it('takes one run where none is noticed', async () => {
    const { runs, run } = specs({});

    expect(await findNoticed(numbers(32), run)).to.deep.equal([]);
    expect(runs).to.have.lengthOf(1);
  });

  it('tells which ones are noticed, for any of them, in few runs of all specs', async () => {
    for (const noticed of [[0], [31], [3, 4], [0, 1, 2, 3, 4, 5, 6, 7], numbers(32)]) {
      const { runs, run } = specs(Object.fromEntries(noticed.map(mutant => [mutant, `spec ${mutant % 3}`])));

      expect([...(await findNoticed(numbers(32), run))].toSorted(byNumber)).to.deep.equal(noticed);
      expect(runs.filter(({ only }) => only === undefined)).to.have.lengthOf.at.most(noticed.length + 1);
      expect(runs.filter(({ only }) => only !== undefined)).to.have.lengthOf.at.most(noticed.length * 7);
    }
  });

  it('goes on where it failed', async () => {
    const { runs, run } = specs({ 3: 'spec 1', 4: 'spec 2' });

    expect([...(await findNoticed(numbers(8), run))].toSorted(byNumber)).to.deep.equal([3, 4]);
    expect(runs.filter(({ only }) => only === undefined)).to.deep.equal([{ from: '' }, { from: 'spec 1' }, { from: 'spec 2' }]);
  });

  it('counts none that fails in company only', async () => {
    const run: RunMutants<number> = async mutants => (mutants.includes(2) && mutants.includes(5) ? 'spec' : undefined);

    expect(await findNoticed(numbers(8), run)).to.deep.equal([]);
  });

  it('counts none with which a spec fails once', async () => {
    for (const mutants of [numbers(1), numbers(8)]) {
      let failures = 1;

      expect(await findNoticed(mutants, async () => (failures-- > 0 ? 'spec' : undefined))).to.deep.equal([]);
    }
  });

  it('tells them where no spec can run alone', async () => {
    const run: RunMutants<number> = async mutants => (mutants.some(mutant => mutant === 1 || mutant === 6) ? '' : undefined);

    expect([...(await findNoticed(numbers(8), run))].toSorted(byNumber)).to.deep.equal([1, 6]);
  });

  it('has none that overlaps another, and leaves those for the next', () => {
    const outer = at(1, 0, 5, 1);
    const inner = at(2, 2, 2, 9);
    const beside = at(5, 1, 5, 4);
    const elsewhere = { ...inner, fileName: 'lib/other.ts' };

    expect(nextGroup([outer, inner, beside, elsewhere], 8)).to.deep.equal([outer, beside, elsewhere]);
    expect(nextGroup([inner, outer, beside, elsewhere], 2)).to.deep.equal([inner, beside]);
  });
});

/** Three specs, each of which fails with some mutants. */
function specs(failing: Readonly<Record<number, string>>): { readonly runs: Which[]; readonly run: RunMutants<number> } {
  const runs: Which[] = [];

  return {
    runs,
    run: async (mutants, which) => {
      runs.push(which);
      const ran = which.only === undefined ? SPECS.slice(Math.max(0, SPECS.indexOf(which.from ?? ''))) : [which.only];

      return ran.find(spec => mutants.some(mutant => failing[mutant] === spec));
    },
  };
}

const SPECS = ['spec 0', 'spec 1', 'spec 2'];

function at(line: number, column: number, endLine: number, endColumn: number): Parameters<typeof nextGroup>[0][number] {
  return { fileName: 'lib/one.ts', location: { start: { line, column }, end: { line: endLine, column: endColumn } } };
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function byNumber(one: number, other: number): number {
  return one - other;
}
