import { cpSync } from 'node:fs';
import { relative } from 'node:path';
import packageJson from '../../../package.json' with { type: 'json' };
import { LEFT_OUT, writeManifest } from './copied-project.ts';
import { compareVersions, inTemporaryFolder, main, npmInstall, publishedVersions, ROOT, run, runSpecs } from './programs.ts';

function newestSupported(): string {
  const [, end = ''] = /<(\S+)$/.exec(packageJson.peerDependencies['@mikro-orm/core']) ?? [];

  return newest('@mikro-orm/core', version => compareVersions(version, end) < 0);
}

function newestUpTo(version: string, name: string): string {
  return newest(name, each => compareVersions(each, version) <= 0);
}

function newest(name: string, isMeant: (version: string) => boolean): string {
  const found = publishedVersions(name).find(version => /^[\d.]+$/.test(version) && isMeant(version));

  if (found === undefined) {
    throw new Error(`There is no such version of ${name}.`);
  }

  return found;
}

/**
 * Runs the specs on another version of MikroORM, in a copy of this folder: each of its packages in the newest version up to that one. Those that
 * are behind are given the others as if they asked for them, so that there is one copy of each.
 */
await main('npm run test:mikro-orm -- 7.2.5 (or newest)', async (asked, args) => {
  const version = asked === 'newest' ? newestSupported() : asked;
  const packages = Object.fromEntries(
    Object.keys(packageJson.devDependencies)
      .filter(name => name.startsWith('@mikro-orm/'))
      .map(name => [name, newestUpTo(version, name)]),
  );

  if (packages['@mikro-orm/core'] !== version) {
    throw new Error(`There is no @mikro-orm/core ${version}.`);
  }

  console.log(`Installing MikroORM ${version} into a copy`);

  return inTemporaryFolder(async folder => {
    cpSync(ROOT, folder, { recursive: true, filter: path => !LEFT_OUT.test(relative(ROOT, path)) });
    writeManifest(folder, packages);
    await npmInstall(folder);
    // what is published of MikroORM at one time may be of several versions here
    const env = { MIKRO_ORM_ALLOW_VERSION_MISMATCH: '1' };
    const built = await run('npm', ['run', '--silent', 'build'], { folder });

    return built === 0 ? runSpecs(args, { folder, env }) : built;
  });
});
