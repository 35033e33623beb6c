import { TenantConfigError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { SEAMS } from '../../../dist/orm/seams/register.js';
import { breakages } from '../../support/seams/breakages.ts';
import { COMMAND_LINE_RENAMES, RENAMES } from '../../support/seams/renames.ts';
import { errorOf, inHaste, onUnknownCode, startAgain } from '../../support/seams/start-again.ts';

// as a module of its own kind, like MikroORM's, of which there would else be two
const found = await breakages();

describe('A seam that is not what it was', () => {
  it('G1 an ORM starts where nothing has changed', async () => {
    await startAgain();
    await onUnknownCode(startAgain);
  });

  it('G1 there is a change of each seam of the register', () => {
    const changed = new Set([...found.map(({ seam }) => seam.name), ...Object.keys(RENAMES), ...Object.keys(COMMAND_LINE_RENAMES)]);

    expect(SEAMS.map(({ name }) => name).filter(name => !changed.has(name))).to.deep.equal([]);
  });

  for (const { seam, how, make } of found) {
    it(`G1 ${seam.name} ${how}: no ORM starts, and the seam is named`, async () => {
      const undo = make();

      try {
        const error = await errorOf(() => inHaste(() => onUnknownCode(startAgain)));
        expect(error, 'it started').to.be.instanceOf(TenantConfigError);
        expect((error as TenantConfigError).message).to.match(nameIn(seam.name));
      } finally {
        undo();
      }
    });
  }
});

/** The seam in a message: with what was seen, or among the others. */
function nameIn(seam: string): RegExp {
  return new RegExp(String.raw`(?:- |: |, )${seam.replaceAll('.', String.raw`\.`)}(?: of |,|\.\n)`);
}
