import { expect } from 'chai';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../support/orm/library-orm.ts';

/** The pages whose code is in `docs/examples`, and the specs that run it. */
const PAGES: Readonly<Record<string, string>> = {
  'docs/concepts/tenants.md': 'concepts',
  'docs/concepts/scopes.md': 'concepts',
  'docs/concepts/migration-sets.md': 'concepts',
  'docs/concepts/who-is-meant.md': 'concepts',
  'docs/concepts/transactions.md': 'concepts',
  'docs/guides/sessions-and-tokens.md': 'sessions-and-tokens',
  'docs/guides/replicas-and-poolers.md': 'replicas-and-poolers',
  'docs/guides/deployments.md': 'deployments',
  'docs/guides/rolling-releases.md': 'rolling-releases',
  'docs/guides/development-loop.md': 'development',
  'docs/guides/seeding.md': 'development',
  'docs/guides/backup-and-restore-one-tenant.md': 'backup',
  'docs/guides/cloning.md': 'moving-tenants',
  'docs/guides/export-and-import.md': 'moving-tenants',
  'docs/guides/extract-and-adopt.md': 'moving-tenants',
  'docs/guides/one-user-many-tenants.md': 'people-and-settings',
  'docs/guides/tenant-settings.md': 'people-and-settings',
  'docs/guides/upgrading-mikro-orm.md': 'design',
  'docs/design/why-qualified-names.md': 'design',
  'docs/design/internals.md': 'design',
  'docs/design/isolation-tested.md': 'design',
  'docs/compared.md': 'design',
  'docs/guides/jobs.md': 'jobs-and-telemetry',
  'docs/guides/hooks.md': 'jobs-and-telemetry',
  'docs/guides/telemetry.md': 'jobs-and-telemetry',
  'docs/guides/live-connections.md': 'jobs-and-telemetry',
};

describe('the pages with examples', () => {
  for (const [page, spec] of Object.entries(PAGES)) {
    it(`${page} shows code that is there, and no block that nothing runs`, () => {
      const text = readFileSync(join(ROOT, page), 'utf8');
      const specText = readFileSync(join(ROOT, 'spec/docs/examples', `${spec}.spec.ts`), 'utf8');
      const problems: string[] = [];

      for (const [, file = '', region] of text.matchAll(/^ *<<< @\/([^\s#{]+)(?:#([\w-]+))?(?:\{.*\})?$/gm)) {
        const path = join(ROOT, 'docs', file);
        const code = existsSync(path) ? readFileSync(path, 'utf8') : undefined;

        if (code === undefined) {
          problems.push(`${file} is not there`);
        } else if (region !== undefined && !(code.includes(`#region ${region}\n`) && code.includes(`#endregion ${region}\n`))) {
          problems.push(`${file} has no region ${region}`);
        }
      }

      for (const [, language = ''] of text.matchAll(/^ *```(\S*)$(?:\n(?! *```).*)*\n *```$/gm)) {
        if (language !== 'console' || !specText.includes(page)) {
          problems.push(`nothing runs a block of ${language === '' ? 'no language' : language}`);
        }
      }

      expect(problems).to.deep.equal([]);
    });
  }

  it('no file of their examples is shown nowhere', () => {
    const shown = globSync('docs/**/*.md', { cwd: ROOT }).flatMap(page =>
      [...readFileSync(join(ROOT, page), 'utf8').matchAll(/<<< @\/([^\s#{]+)/g)].map(([, file = '']) => `docs/${file}`),
    );
    const folders = ['bookshop', 'deployments', 'replicas-and-poolers', 'rolling-releases', 'why-qualified-names'];
    const files = folders
      .flatMap(folder => globSync(`docs/examples/${folder}/**/*.*`, { cwd: ROOT }))
      .filter(file => !file.endsWith('.json'));

    expect(files.filter(file => !shown.includes(file) && !file.includes('migrations/public/'))).to.deep.equal([]);
  });
});
