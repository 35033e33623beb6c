import { cpSync } from 'node:fs';
import { relative } from 'node:path';
import { inTemporaryFolder, npmInstall, ROOT, runSpecs } from './programs.ts';
import { LEFT_OUT, writeManifest } from './copied-project.ts';
import { PEER_VERSIONS } from './peer-versions.ts';

/** What the peers take part in. */
const SPECS = ['spec/web/**/*.spec.ts', 'spec/docs/examples/nest.spec.ts', 'spec/testing/frameworks.spec.ts', 'spec/telemetry/*.spec.ts'];

const [end, ...args] = process.argv.slice(2);

if (end === 'oldest' || end === 'newest') {
  console.log(`Installing the ${end} peers into a copy`);

  process.exitCode = await inTemporaryFolder(async folder => {
    // with what is built: users get it as it was built beside other versions
    cpSync(ROOT, folder, { recursive: true, filter: path => relative(ROOT, path) === 'dist' || !LEFT_OUT.test(relative(ROOT, path)) });
    writeManifest(folder, PEER_VERSIONS[end]);
    // those of one end may not know the compiler of this project
    await npmInstall(folder, '--legacy-peer-deps');

    return runSpecs(args.some(arg => arg.startsWith('spec/')) ? args : [...SPECS, ...args], { folder });
  });
} else {
  console.error('Usage: npm run test:peers -- oldest (or newest) [arguments for Mocha]');
  process.exitCode = 2;
}
