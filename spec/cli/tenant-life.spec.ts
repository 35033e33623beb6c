import { expect } from 'chai';
import { until } from '../support/assertions/until.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { openLibrary } from '../support/orm/library-orm.ts';
import { createCliProject, type CliProject } from '../support/processes/cli-project.ts';
import type { TerminalProcess } from '../support/processes/terminal.ts';

onDatabases(
  'the life of tenants on the command line',
  database => {
    let project: CliProject;

    before(async () => {
      await (await openLibrary(database)).close();
      project = await createCliProject(database.url ?? '');
    });

    after(() => project.remove());

    it('L11 creates, lists, renames, deletes, restores and purges tenants, and says what it did', async () => {
      const [created, named, renamed, list, dropped, deleted, restored, gone] = await run(
        ['tenant:create', '--name', 'Acme', '--schema-name', 'acme', '--domain-url', 'acme.example.com'],
        ['tenant:create', '--data', '{"name":"Bob"}', '--schema-name', 'bob', '--domain-url', 'bob.example.com', '--json'],
        ['tenant:rename', 'bob', 'robert', '--host', 'robert.example.com'],
        ['tenant:list'],
        ['tenant:drop', 'acme', '--soft'],
        ['tenant:list', '--deleted'],
        ['tenant:restore', 'acme', '--as', 'acme_2', '--host', 'acme-2.example.com'],
        ['tenant:drop', 'robert', '--yes'],
      );

      expect(created).to.include({ code: 0, output: 'acme created, on the host acme.example.com' });
      expect(JSON.parse(named?.output ?? '')).to.deep.equal({ event: 'created', schemaName: 'bob', domainUrl: 'bob.example.com', key: 2 });
      expect(renamed).to.include({ code: 0, output: 'bob renamed to robert' });
      expect(list?.output)
        .to.match(/acme +│ acme\.example\.com +│ active +│ 1/)
        .and.match(/robert +│ robert\.example\.com/)
        .and.match(/^2 tenants$/m);
      expect(dropped).to.include({ code: 0, output: 'acme deleted. `mikro-orm tenant:restore acme` brings it back' });
      expect(deleted?.output).to.match(/acme +│ acme\.example\.com +│ \d{4}-\d\d-\d\dT.*│ landlord_deleted_[0-9a-f]{12}/);
      expect(restored).to.include({ code: 0, output: 'acme_2 restored, on the host acme-2.example.com' });
      expect(gone).to.include({ code: 0, output: 'robert dropped' });
      expect([await storedTenants(database), await schemaNames(database)]).to.deep.equal([['acme_2'], ['acme_2']]);
    });

    it('L11 what cannot be undone is refused where nobody can be asked, with exit code 2, and so are unknown names and wrong values', async () => {
      const refused = await run(
        ['tenant:drop', 'acme_2'],
        ['tenant:drop', 'nobody', '--yes'],
        ['tenant:restore', 'nobody'],
        ['tenant:purge', 'nobody', '--yes'],
        ['tenant:create', '--name', 'Carl'],
        ['tenant:create', '--name', 'Carl', '--schema-name', 'pg_carl', '--domain-url', 'carl.example.com'],
        ['tenant:create', '--data', '[1]', '--schema-name', 'carl', '--domain-url', 'carl.example.com'],
        ['tenant:rename', 'acme_2', 'a"b'],
      );

      expect(refused.map(({ code }) => code)).to.deep.equal(refused.map(() => 2));
      expect(refused[0]?.output).to.contain('--yes');
      expect(refused[4]?.output).to.contain('`--domain-url`, `--schema-name`');
      expect(await schemaNames(database)).to.deep.equal(['acme_2']);
    });

    it('L11 purges as JSON, after a dry run that drops nothing', async () => {
      const [, tooYoung, dry, refused, done] = await run(
        ['tenant:drop', 'acme_2', '--soft'],
        ['tenant:purge', '--older-than', '1d', '--yes', '--json'],
        ['tenant:purge', '--dry-run', '--json'],
        ['tenant:purge', '--older-than', '0s'],
        ['tenant:purge', '--older-than', '0s', '--yes', '--json'],
      );
      const events = (output = ''): { event: string }[] => output.split('\n').map(line => JSON.parse(line) as { event: string });

      expect(events(tooYoung?.output)).to.deep.equal([{ event: 'summary', planned: 0, purged: 0, failed: 0 }]);
      expect(events(dry?.output)).to.have.nested.property('[0].schemaName', 'acme_2');
      expect(refused?.code).to.equal(2);
      expect(events(done?.output).at(-1)).to.deep.equal({ event: 'summary', planned: 1, purged: 1, failed: 0 });
      expect([await storedTenants(database), await schemaNames(database)]).to.deep.equal([[], []]);
    });

    it('L11 the help lists the properties of the tenant entity as options', async () => {
      const { stdout } = await project.run('tenant:create', '--help');

      expect(stdout)
        .to.match(/--schema-name +schemaName: a text; required/)
        .and.match(/--name +name: a text; required/);
    });

    it('L11 on a terminal it asks for what is required, and for the name of what it drops', async () => {
      const create = project.startOnTerminal('tenant:create', '--name', 'Dora');
      await answer(create, 'domainUrl (a text)', 'dora.example.com');
      await answer(create, 'schemaName (a text)', '');
      await answer(create, 'must be a text', 'Dora');
      await answer(create, 'does not match', 'dora');
      const { code, output } = await create.ended;
      expect(code, output).to.equal(0);
      // each character is shown once
      expect(output).to.contain('dora.example.com').and.not.contain('ddoorraa');
      expect(await schemaNames(database)).to.deep.equal(['dora']);

      const wrong = project.startOnTerminal('tenant:drop', 'dora');
      await answer(wrong, 'type dora', 'doris');
      expect(await wrong.ended).to.include({ code: 2 });
      const drop = project.startOnTerminal('tenant:drop', 'dora');
      await answer(drop, 'type dora', 'dora');
      expect(await drop.ended).to.include({ code: 0 });
      expect(await schemaNames(database)).to.deep.equal([]);
    });

    async function run(...commands: readonly (readonly string[])[]): Promise<readonly { code: number | null; output: string }[]> {
      const results = await project.runAll(commands.map(args => ['ours', ...args] as ['ours', ...string[]]));

      return results.map(({ code, output }) => ({ code, output: output.trim() }));
    }
  },
  ['postgresql'],
);

async function answer(terminal: TerminalProcess, question: string, text: string): Promise<void> {
  await until(`it asks ${question}: ${terminal.output()}`, () => terminal.output().includes(question));
  terminal.type(`${text}\n`);
}
