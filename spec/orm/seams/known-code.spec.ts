import { Utils } from '@mikro-orm/core';
import { expect } from 'chai';
import packageJson from '../../../package.json' with { type: 'json' };
import { tryKnownCode } from '../../support/seams/processes.ts';

describe('The code that the library knows', () => {
  it('G1 is that of the installed packages, and of no other', async function () {
    for (const [driver, { isKnown, count, unnoticed }] of Object.entries(await tryKnownCode())) {
      // `npm run seams:learn` is run on a version once all specs have passed on it
      if (Utils.getORMVersion() === packageJson.devDependencies['@mikro-orm/core']) {
        expect(isKnown, driver).to.equal(true);
      }

      expect(count, driver).to.be.greaterThan(200);
      expect(isKnown ? unnoticed : [], driver).to.deep.equal([]);
    }
  });
});
