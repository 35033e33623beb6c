import { expect } from 'chai';
import packageJson from '../../package.json' with { type: 'json' };
import { compareVersions } from '../support/versions/programs.ts';
import { PEER_VERSIONS } from '../support/versions/peer-versions.ts';

describe('the range of a peer', () => {
  const { oldest, newest } = PEER_VERSIONS;
  const versionsOf = (name: string, versions: Readonly<Record<string, string>>): string[] =>
    Object.entries(versions).flatMap(([key, version]) =>
      key === name ? [version] : version.startsWith(`npm:${name}@`) ? [version.slice(`npm:${name}@`.length)] : [],
    );

  for (const name of [
    '@koa/router',
    '@nestjs/common',
    '@nestjs/core',
    '@opentelemetry/api',
    'express',
    'fastify',
    'hono',
    'koa',
    'rxjs',
  ] as const) {
    it(`G2 begins and ends with what \`npm run test:peers\` installs: ${name}`, () => {
      const [, begin = ''] = /^>=(\S+)/.exec(packageJson.peerDependencies[name]) ?? [];
      const [first = ''] = versionsOf(name, oldest).toSorted(compareVersions);

      expect(`${first}.`.startsWith(`${begin}.`), `${begin} and ${first}`).to.equal(true);
      expect(versionsOf(name, newest)).to.have.length(versionsOf(name, oldest).length);
    });
  }
});
