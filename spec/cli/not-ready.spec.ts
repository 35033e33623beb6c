import { expect } from 'chai';
import { createCliProject, type CliProject } from '../support/processes/cli-project.ts';
import { onDatabases } from '../support/databases/database.ts';
import { freePort } from '../support/web/free-port.ts';

const COMMANDS = [
  ...['check', 'pending', 'list', 'up', 'down'].map(name => [`migration:${name}`, '--tenants']),
  ...['status', 'server', 'list', 'doctor', 'usage'].map(name => [`tenant:${name}`]),
  ['tenant:create', '--name', 'Acme', '--schema-name', 'acme', '--domain-url', 'acme.example.com'],
  ['tenant:rename', 'acme', 'bob'],
  ['tenant:drop', 'acme', '--yes'],
  ['tenant:export', 'acme'],
];

onDatabases(
  'the command line before there is anything to work on',
  database => {
    it('law 10, M8 says that the public set has not run', async () => {
      await expectRefusals(database.url ?? '', /public set has pending migrations .*`mikro-orm migration:up` first/);
    });

    it('law 10, M8 says that the database cannot be reached', async () => {
      const port = await freePort();

      await expectRefusals(`postgres://postgres:secret@127.0.0.1:${port}/nowhere`, /database cannot be reached.*ECONNREFUSED/);
    });

    async function expectRefusals(url: string, words: RegExp): Promise<void> {
      const project: CliProject = await createCliProject(url);

      try {
        const results = await Promise.all(
          COMMANDS.map(async command => ({
            command,
            ...(await project.run(...command)),
          })),
        );

        for (const { command, code, stdout, output } of results) {
          expect([code, stdout], `${command.join(' ')}: ${output}`).to.deep.equal([2, '']);
          expect(output, command.join(' '))
            .to.match(words)
            .and.not.match(/^ +at |secret|Options:/m);
        }
      } finally {
        await project.remove();
      }
    }
  },
  ['postgresql'],
);
