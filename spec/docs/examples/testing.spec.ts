import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import packageJson from '../../../package.json' with { type: 'json' };
import { effort } from '../../support/generators/effort.ts';
import { ROOT } from '../../support/orm/library-orm.ts';
import { compareVersions } from '../../support/versions/programs.ts';

const EXAMPLES = join(ROOT, 'docs/examples/testing');

/** How each runner is started, what it prints of what passed and failed, and the environment that it needs. */
const RUNNERS = {
  mocha: { command: ['node_modules/mocha/bin/mocha.js'], passed: /(\d+) passing/, failed: /(\d+) failing/, env: {} },
  vitest: { command: ['node_modules/vitest/vitest.mjs', 'run'], passed: /Tests .*?(\d+) passed/, failed: /Tests .*?(\d+) failed/, env: {} },
  node: {
    command: ['--import', 'tsx', `--test-global-setup=${join(ROOT, 'dist/testing/runners/server-setup.js')}`, '--test', '**/*.test.ts'],
    passed: /pass (\d+)/,
    failed: /fail (\d+)/,
    env: {},
  },
  jest: {
    command: ['node_modules/jest/bin/jest.js'],
    passed: /Tests: .*?(\d+) passed/,
    failed: /Tests: .*?(\d+) failed/,
    env: { NODE_OPTIONS: '--experimental-vm-modules' },
  },
} as const;

describe('the recipes for the runners', () => {
  let folder: string;

  before(() => {
    // inside of this package, which is found by its name there
    mkdirSync(join(ROOT, '.data'), { recursive: true });
    folder = mkdtempSync(join(ROOT, '.data/runners-'));
    cpSync(EXAMPLES, folder, { recursive: true });
    writeFileSync(join(folder, 'leaking-app.ts'), LEAKING_APP);
  });

  after(() => rmSync(folder, { recursive: true }));

  for (const [runner, { command, passed, failed, env }] of Object.entries(RUNNERS)) {
    it(`K2 run in ${runner}, and a planted leak turns its test red`, async () => {
      const source = readFileSync(join(folder, runner, 'leaks.test.ts'), 'utf8');
      const leaking = source.replaceAll('../app.js', '../leaking-app.js').replaceAll('shows nothing', 'is leaking, and shows nothing');
      writeFileSync(join(folder, runner, 'leaking.test.ts'), leaking);
      const [first = '', ...rest] = command;
      const args = [first.startsWith('-') ? first : join(ROOT, first), ...rest];
      const output = await outputOf(args, join(folder, runner), env);

      expect(Number(passed.exec(output)?.[1]), output).to.be.greaterThan(2);
      expect(Number(failed.exec(output)?.[1]), output).to.equal(1);
      expect(output).to.contain('has found a leak').and.to.contain('is leaking, and shows nothing');
    });
  }

  it('K2 run in Jest where the tests are CommonJS', async () => {
    const tests = join(folder, 'jest-commonjs');
    cpSync(join(EXAMPLES, 'jest'), tests, { recursive: true });
    const { extensionsToTreatAsEsm: _, ...config } = ((await import(join(EXAMPLES, 'jest/jest.config.mjs'))) as JestConfig).default;
    writeFileSync(join(tests, 'jest.config.mjs'), `export default ${JSON.stringify(config)};`);
    writeFileSync(
      join(tests, 'transform.mjs'),
      readFileSync(join(tests, 'transform.mjs'), 'utf8').replace(`format: 'esm'`, `format: 'cjs'`),
    );
    const { command, passed, failed, env } = RUNNERS.jest;
    const output = await outputOf([join(ROOT, command[0])], tests, env);

    if (compareVersions(process.versions.node, '24.9.0') < 0) {
      expect(output).to.contain('Must use import to load ES Module');
    } else {
      expect(passed.exec(output)?.[1], output).to.equal('3');
      expect(output).to.not.match(failed);
    }
  });

  if (effort(0, 1) === 1) {
    it('K2 run in the oldest Vitest that this package installs beside', async () => {
      const oldest = join(folder, 'oldest-vitest');
      cpSync(join(EXAMPLES, 'vitest'), oldest, { recursive: true });
      const source = readFileSync(join(oldest, 'leaks.test.ts'), 'utf8');
      // as it was called before 4.1
      writeFileSync(join(oldest, 'leaks.test.ts'), source.replace('test.override(', 'test.scoped('));
      writeFileSync(join(oldest, 'package.json'), '{ "type": "module" }');
      const version = packageJson.peerDependencies.vitest.replace('>=', '~');
      await promisify(execFile)('npm', ['install', '--no-audit', '--no-fund', `vitest@${version}`], { cwd: oldest });
      // this package is found by its name where there is no other
      rmSync(join(oldest, 'package.json'));
      const output = await outputOf([join(oldest, 'node_modules/vitest/vitest.mjs'), 'run'], oldest, {});

      expect(RUNNERS.vitest.passed.exec(output)?.[1], output).to.equal('4');
      expect(output).to.not.match(RUNNERS.vitest.failed);
    });
  }
});

interface JestConfig {
  readonly default: Readonly<Record<string, unknown>>;
}

/** The application behind a cache that forgets whose answer it holds. */
const LEAKING_APP = `
import type Koa from 'koa';
import { createApp as create, type Orm } from './app.js';

export { Note } from './app.js';

let cached: unknown;

export function createApp(orm: Orm): Koa {
  const app = create(orm);
  app.middleware.unshift(async (ctx, next) => {
    if (ctx.method !== 'GET' || cached === undefined) {
      await next();
      cached ??= ctx.body;
    } else {
      ctx.body = cached;
    }
  });

  return app;
}
`;

function outputOf(args: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Promise<string> {
  // a runner that runs another one tells it so
  const { NODE_TEST_CONTEXT: _context, MOCHA_OPTIONS: _options, ...inherited } = process.env;

  return new Promise(resolve => {
    execFile(
      process.execPath,
      [...args],
      { cwd, env: { ...inherited, NO_COLOR: '1', FORCE_COLOR: '0', ...env } },
      (_error, stdout, stderr) => resolve(`${stdout}${stderr}`),
    );
  });
}
