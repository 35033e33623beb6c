import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary } from '../support/orm/library-orm.ts';
import { createCliProject, type CliProject, type CliResult } from '../support/processes/cli-project.ts';

const KILLED_IN_IMPORT = `
import { readdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { withFile } from '../../dist/provisioning/transfer/spool.js';

process.env.TMPDIR = process.cwd() + '/tmp';
await withFile(Readable.from(['rows of a tenant']), async file => {
  console.log(await text(file()), 'and again', await text(file()));
  process.kill(process.pid, 'SIGKILL');
});
`;

const NEW = ['--schema-name', 'carl', '--domain-url', 'carl.example.com'];

onDatabases(
  'what the command line refuses',
  database => {
    let project: CliProject;

    before(async () => {
      const orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush(newLibrary('acme'));
      await orm.close();
      project = await createCliProject(database.url ?? '');
    });

    after(() => project.remove());

    it('L11 data with a property that the tenant entity does not have is refused, and names those that it has', async () => {
      const results = await run(
        ['tenant:create', '--name', 'Carl', ...NEW, '--data', '{"nmae":"Carl"}'],
        ['tenant:clone', 'acme', ...NEW, '--set', '{"nmae":"Carl"}'],
      );

      for (const { code, output } of results) {
        expect(code, output).to.equal(2);
        expect(output)
          .to.match(/has the property "nmae", which Library does not have\. Nothing was run\. Its properties are .*\bname\b/)
          .and.not.match(/autoDropSchema/);
      }

      expect(await storedTenants(database)).to.deep.equal(['acme']);
    });

    it('L11 a new tenant whose row lacks a value is refused with its name and the option that takes it', async () => {
      const [exported, cloned, imported] = await run(
        ['tenant:export', 'acme', '--output', 'acme.landlord'],
        ['tenant:clone', 'acme', ...NEW],
        ['tenant:import', 'acme.landlord', ...NEW],
      );

      expect(exported).to.include({ code: 0 });
      for (const { code, output } of [cloned, imported].map(found)) {
        expect(code, output).to.equal(2);
        expect(output)
          .to.match(/^The new tenant cannot be stored: Value for Library\.name is required.*`--set`/)
          .and.not.match(/^ +at |Options:/m);
      }
    });

    it('L11 a value that is not unique is told apart from a right that is missing', async () => {
      const [refused] = await run(['tenant:clone', 'acme', ...NEW, '--set', '{"name":"Carl","id":1}']);

      expect(refused).to.include({ code: 2 });
      expect(refused?.output)
        .to.match(/\(SQLSTATE 23505\)\. Check the values/)
        .and.not.contain('rights');
    });

    it('L2 an export that fails leaves the file as it was, and no other', async () => {
      const file = join(project.folder, 'kept.landlord');
      await writeFile(file, 'kept');
      const [unknown, nowhere] = await run(
        ['tenant:export', 'nobody', '--output', 'kept.landlord'],
        ['tenant:export', 'acme', '--output', join('no', 'folder')],
      );

      expect(unknown).to.include({ code: 2 });
      expect(readFileSync(file, 'utf8')).to.equal('kept');
      expect(nowhere).to.include({ code: 2 });
      expect(nowhere?.output).to.match(/^`--output` is ".*", which cannot be written: ENOENT/);
      expect((await project.files('.')).filter(name => name.endsWith('.part'))).to.deep.equal([]);
    });

    it('L2 a whole export takes the place of a former one, and what is no file stays what it is', async () => {
      const [replaced, nothing] = await run(
        ['tenant:export', 'acme', '--output', 'kept.landlord'],
        ['tenant:export', 'acme', '--output', '/dev/null'],
      );

      expect([replaced?.code, nothing?.code]).to.deep.equal([0, 0]);
      expect(readFileSync(join(project.folder, 'kept.landlord')).subarray(0, 2)).to.deep.equal(Buffer.from([0x1f, 0x8b]));
      expect(existsSync('/dev/null')).to.equal(true);
      expect((await project.files('.')).filter(name => name.endsWith('.part'))).to.deep.equal([]);
    });

    it('L2 an export to a closed or a healthy output fails in words, also where the database refuses', async () => {
      const closed = project.start('tenant:export', 'acme');
      closed.closeOutput();
      const refused = await project.start('tenant:export', 'nobody').ended;
      const { code, stderr } = await closed.ended;

      expect(code, stderr).to.equal(2);
      expect(stderr)
        .to.match(/^The standard output was closed/)
        .and.not.contain('clientUrl');
      expect(refused.code).to.equal(2);
      expect(refused.stderr)
        .to.match(/^No tenant has the schema name "nobody"/)
        .and.not.match(/^ +at /m);
    });

    it('L2 an import without a file is refused on a terminal, and so is a file that cannot be read', async () => {
      const terminal = await project.startOnTerminal('tenant:import', ...NEW).ended;
      const [missing] = await run(['tenant:import', 'no-such-file', ...NEW]);

      expect(terminal).to.include({ code: 2 });
      expect(terminal.output).to.contain('`FILE` is missing');
      expect(missing).to.include({ code: 2 });
      expect(missing?.output).to.match(/^`FILE` is "no-such-file", which cannot be read: ENOENT/);
    });

    it('L2 what an import says on a terminal does not go on in the line of its progress', async () => {
      await run(['tenant:export', 'acme', '--output', 'acme.landlord']);
      const { code, output } = await project.startOnTerminal('tenant:import', 'acme.landlord', ...NEW, '--set', '{"name":"Carl"}').ended;

      expect(code, output).to.equal(0);
      expect(stripVTControlCharacters(output)).to.contain('\rTenant carl was imported');
      expect((await run(['tenant:drop', 'carl', '--yes']))[0]).to.include({ code: 0 });
    });

    it('L2 an import that is killed leaves no rows in the temporary folder', async () => {
      await project.write('tmp/none', '');
      await project.write('killed.mjs', KILLED_IN_IMPORT);
      const { code, output } = await project.runProgram(join(project.folder, 'killed.mjs'));

      expect(code, output).to.equal(null);
      expect(output.trim()).to.equal('rows of a tenant and again rows of a tenant');
      expect(await project.files('tmp')).to.deep.equal(['none']);
    });

    it('L11 without arguments it shows its commands, and `schema:drop --tenants` without `--run` is not taken for done', async () => {
      const [alone, dropped] = await Promise.all([project.start().ended, project.start('schema:drop', '--tenants').ended]);

      expect(alone.code, alone.output).to.equal(0);
      expect(alone.stdout)
        .to.match(/^Usage: mikro-orm <command>/)
        .and.contain('mikro-orm tenant:create')
        .and.not.contain('probe');
      expect(dropped.code).to.equal(2);
      expect(dropped.stderr).to.match(/^`--run` is missing/);
      expect(await schemaNames(database)).to.deep.equal(['acme']);
    });

    it('L13 numbers that make no sense and programs that are not there are refused before anything runs', async () => {
      const results = await run(
        ['tenant:exec', '--all', '--concurrency', '0', '--', 'true'],
        ['tenant:seed', '--concurrency', '0'],
        ['tenant:usage', '--limit', '0'],
        ['tenant:usage', '--offset', '-1'],
        ['tenant:exec', 'acme'],
      );

      expect(results.map(({ code }) => code)).to.deep.equal(results.map(() => 2));
      expect(results[0]?.output).to.contain('`--concurrency` is "0", but must be a whole number, at least 1');
      expect(results[3]?.output).to.contain('at least 0');
      expect(results[4]?.output)
        .to.match(/Write it after `--`/)
        .and.not.contain('asked for');
    });

    it('L11 T2 a tenant without a schema gets one by the command that the refusal names', async () => {
      const [created, behind, provisioned, upToDate] = await run(
        ['tenant:create', '--name', 'Dora', '--schema-name', 'dora', '--domain-url', 'dora.example.com', '--no-schema'],
        ['migration:up', '--tenants', 'dora'],
        ['tenant:provision', 'dora'],
        ['migration:check', '--tenants', 'dora'],
      );

      expect(created).to.include({ code: 0 });
      expect(behind).to.include({ code: 1 });
      expect(behind?.output).to.contain('`mikro-orm tenant:provision`');
      expect(provisioned).to.include({ code: 0 });
      expect(provisioned?.output).to.match(/^dora has its schema now/);
      expect(upToDate).to.include({ code: 0 });
      expect(await schemaNames(database)).to.deep.equal(['acme', 'dora']);
    });

    it('L11 a schema that is not there is not adopted, and the refusal speaks of no tenant', async () => {
      const [refused] = await run(['tenant:adopt', ...NEW, '--set', '{"name":"Carl"}']);

      expect(refused).to.include({ code: 2 });
      expect(refused?.output).to.match(/^There is no schema "carl" to adopt\. Nothing was stored/);
    });

    function run(...commands: readonly string[][]): Promise<readonly CliResult[]> {
      return project.runAll(commands.map(args => ['ours', ...args]));
    }
  },
  ['postgresql'],
);

function found(result: CliResult | undefined): CliResult {
  return result ?? { code: null, output: '', stdout: '', stderr: '' };
}
