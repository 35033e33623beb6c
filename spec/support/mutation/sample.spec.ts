import { expect } from 'chai';
import { identityOf, sampleOf, wilsonInterval } from './sample.ts';

describe('a sample of mutants', () => {
  const all = Array.from({ length: 100 }, (_, index) => `lib/file.ts:${index + 1}:0-${index + 1}:9 BooleanLiteral, false`);

  it('has so many of them, none twice, and all where there are fewer', () => {
    const sample = sampleOf(all, { count: 20, seed: 1 });

    expect(new Set(sample).size).to.equal(20);
    expect(all).to.include.members([...sample]);
    expect(sampleOf(all, { count: 200, seed: 1 }).toSorted()).to.deep.equal(all.toSorted());
  });

  it('is the same for a seed, in whatever order the mutants are found, and a greater one has more', () => {
    const sample = sampleOf(all, { count: 20, seed: 1 });

    expect(sampleOf(all.toReversed(), { count: 20, seed: 1 })).to.deep.equal(sample);
    expect(sampleOf(all, { count: 30, seed: 1 }).slice(0, 20)).to.deep.equal(sample);
  });

  it('is another one for another seed, and takes each about as often as the others', () => {
    const taken = new Map(all.map(identity => [identity, 0]));

    for (let seed = 0; seed < 500; seed++) {
      for (const identity of sampleOf(all, { count: 20, seed })) {
        taken.set(identity, (taken.get(identity) ?? 0) + 1);
      }
    }

    // a fifth of 500, and six standard deviations to either side
    expect(Math.min(...taken.values())).to.be.above(46);
    expect(Math.max(...taken.values())).to.be.below(154);
  });

  it('says where the score of all is, as the published examples of the interval do', () => {
    expect(rounded(wilsonInterval(81, 263))).to.deep.equal({ from: 0.2553, to: 0.3662 });
    expect(rounded(wilsonInterval(15, 148))).to.deep.equal({ from: 0.0624, to: 0.1605 });
    expect(rounded(wilsonInterval(0, 20))).to.deep.equal({ from: 0, to: 0.1611 });
    expect(rounded(wilsonInterval(29, 29))).to.deep.equal({ from: 0.883, to: 1 });
  });

  it('names a mutant by its place, its kind and its replacement', () => {
    const mutant = {
      fileName: `${process.cwd()}/lib/index.ts`,
      location: { start: { line: 0, column: 4 }, end: { line: 1, column: 2 } },
      mutatorName: 'BooleanLiteral',
      replacement: 'false',
    };

    expect(identityOf(mutant)).to.equal('lib/index.ts:1:4-2:2 BooleanLiteral, false');
    expect(identityOf({ ...mutant, fileName: 'lib/index.ts' })).to.equal(identityOf(mutant));
  });
});

function rounded({ from, to }: { readonly from: number; readonly to: number }): object {
  return { from: Number(from.toFixed(4)), to: Number(to.toFixed(4)) };
}
