import { expect } from 'chai';
import { runCommandLine, startOrms, type Started } from '../../support/seams/processes.ts';
import { COMMAND_LINE_RENAMES, RENAMES } from '../../support/seams/renames.ts';

describe('A seam that is renamed in the sources of its package', () => {
  it('G1 an ORM starts where nothing is renamed', async () => {
    const { byNew, byInit } = await startOrms([]);

    expect(byInit.hasStarted && byNew.hasStarted, JSON.stringify([byNew, byInit])).to.equal(true);
    expect(byInit.code).to.equal('ECONNREFUSED');
    expect(byNew.code).to.equal('ECONNREFUSED');
  });

  for (const [name, rewrites] of Object.entries(RENAMES)) {
    it(`G1 ${name}: no ORM starts or sends anything, and the seam is named`, async () => {
      const { byNew, byInit } = await startOrms(rewrites);

      expect(byInit.hasStarted, 'it started').to.equal(false);
      [byNew, byInit].forEach(expectRefused);
      expect(byInit.message).to.match(new RegExp(String.raw`(- |: |, )${name.replaceAll('.', String.raw`\.`)}( of |,|\.\n)`));
    });
  }

  it('G1 the command line runs where nothing is renamed', async () => {
    const { code, stderr, stdout } = await runCommandLine([], 'migration:up', '--tenants', '--help');

    expect(code, stderr).to.equal(0);
    expect(stdout).to.contain('--skip-public-check').and.not.contain('probe');
  });

  for (const [name, rewrites] of Object.entries(COMMAND_LINE_RENAMES)) {
    it(`G1 ${name}: no command is run, and the seam is named`, async () => {
      const { code, stderr } = await runCommandLine(rewrites, 'migration:up', '--tenants');

      expect(code, stderr).to.equal(2);
      expect(stderr).to.contain(`- ${name} of yargs 17`);
    });
  }
});

function expectRefused({ code, message }: Started): void {
  expect(code, message).to.equal('TENANT_CONFIG');
  expect(message).to.match(/ of [@\w/-]+ \d+\.\d+\.\d+ \(tested: [^)]+\)/);
}
