import { join } from 'node:path';
import { inTemporaryFolder, install, main, publishedVersions, runSpecs } from './programs.ts';

/** Runs the specs on another version of Node. */
await main('npm run test:node -- 22.17.0', async (asked, args) => {
  const version = publishedVersions('node').find(each => each === asked || each.startsWith(`${asked}.`));

  if (version === undefined) {
    throw new Error(`npm has no Node ${asked}.`);
  }

  console.log(`Installing Node ${version}`);

  return inTemporaryFolder(async folder => {
    await install(folder, { node: version }, ['node']);

    return runSpecs(args, { node: join(folder, 'node_modules/node/bin/node') });
  });
});
