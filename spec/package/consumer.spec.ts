import { expect } from 'chai';
import { addFiles, fullProject, succeeded, type InstalledProject } from './installed-project.ts';

const STYLES = { 'define-entity': 'src', 'entity-class': 'src', 'es-decorators': 'src', 'legacy-decorators': 'legacy' } as const;

const SEMANTICS = { definitions: 'true', assignments: 'false' } as const;

const TENANTS = {
  integer: { primaryKeys: ['id'], row: { id: 1, name: 'Acme', paid_until: null, on_trial: true } },
  changed: { primaryKeys: ['id'], row: { id: 1, name: 'Acme Ltd', paid_until: null, on_trial: false } },
  uuid: { primaryKeys: ['id'], row: { id: '0d9e1f5e-4f6c-4a53-9d5b-2f8b4f3f4c11' } },
  string: { primaryKeys: ['id'], row: { id: 'acme' } },
  named: { primaryKeys: ['code'], row: { code: 'acme' } },
} as const;

describe('the package in a project of a user', () => {
  let project: InstalledProject;

  before(async () => {
    project = await fullProject();
    addFiles(project, 'consumer');
  });

  for (const [semantics, useDefine] of Object.entries(SEMANTICS)) {
    describe(`with class fields compiled to ${semantics}`, () => {
      let outcomes: Record<string, Record<string, unknown>>;

      before(async () => {
        const options = ['--useDefineForClassFields', useDefine, '--outDir', semantics];
        succeeded(await project.run('tsc', ['-p', 'tsconfig.json', ...options]));
        succeeded(await project.run('tsc', ['-p', 'tsconfig.legacy.json', ...options]));
        const modules = Object.entries(STYLES).map(([style, folder]) => `../${folder}/${style}.js`);
        outcomes = JSON.parse(succeeded(await project.run('node', [`${semantics}/src/run.js`, ...modules])).stdout) as typeof outcomes;
      });

      for (const style of Object.keys(STYLES)) {
        for (const [title, { primaryKeys, row }] of Object.entries(TENANTS)) {
          it(`T1 T4 provisions a tenant (${title}) declared by ${style}, with what its constructor was given`, () => {
            const publicSchema = `${style.replaceAll('-', '_')}_${title}`;

            expect(outcomes[style]?.[title]).to.deep.equal({
              primaryKeys,
              row: { ...row, domain_url: 'acme.example.com', schema_name: `${publicSchema}_acme` },
              tables: [
                { table_schema: publicSchema, table_name: 'plan' },
                { table_schema: `${publicSchema}_acme`, table_name: 'book' },
              ],
              found: ['Emma'],
              isOnlyTenant: true,
            });
          });
        }
      }
    });
  }

  it('G2 has declarations that compile where those of libraries are checked too', async () => {
    const { stdout } = await project.run('tsc', ['--skipLibCheck', 'false', '--noEmit', '--pretty', 'false', '--listFiles']);
    const lines = stdout.split('\n');
    const problems = lines.filter(line => /\(\d+,\d+\): error TS/.test(line));

    expect(lines.filter(line => line.endsWith('/@landlord/mikro-orm/dist/index.d.ts'))).to.have.length(1);
    // errors of MikroORM's own types under `exactOptionalPropertyTypes`, and of types from packages that are not installed
    expect(problems.filter(line => !OTHERS.test(line))).to.deep.equal([]);
  });
});

const OTHERS = /^node_modules\/(?:@mikro-orm|@electric-sql|postgres-interval)\//;
