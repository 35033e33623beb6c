import { expect } from 'chai';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createCliProject, type CliProject } from '../support/processes/cli-project.ts';
import { onDatabases } from '../support/databases/database.ts';

onDatabases(
  'the stock command line',
  database => {
    let project: CliProject;

    before(async () => {
      project = await createCliProject(database.url ?? '');
    });

    after(() => project.remove());

    it('M2 keeps every command and option, in the same words', async () => {
      for (const command of [[], ['migration:up'], ['migration:create'], ['schema:update'], ['seeder:run']]) {
        const [ours, theirs] = await project.runAll([
          ['ours', ...command, '--help'],
          ['stock', ...command, '--help'],
        ]);

        expect(ours?.code).to.equal(0);
        expect(linesOf(ours?.output ?? '')).to.include.members(linesOf(theirs?.output ?? 'nothing'));
      }
    });

    it('M2 shows each command once, and the tenant options with those that have them', async () => {
      const { output } = await project.run('--help');
      const up = await project.run('migration:up', '--help');
      const update = await project.run('schema:update', '--help');

      expect(output.match(/mikro-orm migration:up /g)).to.have.length(1);
      expect(up.output).to.contain('--tenants').and.contain('--skip-public-check');
      expect(update.output).to.not.contain('--tenants');
    });

    it('M2 refuses an unknown option as before', async () => {
      expect((await project.run('migration:up', '--tenant')).code).to.equal(1);
      expect((await project.run('schema:update', '--tenants')).code).to.equal(1);
    });

    it('M2 runs the stock commands on the public set', async () => {
      const debug = await project.run('debug');
      const up = await project.run('migration:up');
      const list = await project.run('migration:list');

      expect([debug.code, up.code, list.code], debug.output + up.output).to.deep.equal([0, 0, 0]);
      expect(list.output).to.contain('Migration20261123063104');
    });

    it('M2 says that nothing has changed, for each set', async () => {
      const shared = await project.run('migration:create');
      const tenants = await project.run('migration:create', '--tenants');

      expect(shared.output).to.contain('No changes required, schema is up-to-date');
      expect(tenants.output).to.contain('No changes required, the tenant set is up-to-date');
    });

    it('M2 writes no migration for a single tenant', async () => {
      const { code, output } = await project.run('migration:create', '--tenants', 'acme');

      expect(code, output).to.equal(2);
      expect(output).to.contain('all tenants share one tenant set');
    });

    it('M2 writes a change of a tenant entity into the tenant set alone, and one of a shared entity into the public set alone', async () => {
      await project.write('entities/tag.ts', TAG_WITH_COLOUR);
      await project.write('entities/genre.ts', GENRE_WITH_SHELF);
      const before = [await project.files('migrations/public'), await project.files('migrations/tenant')];

      const tenants = await project.run('migration:create', '--tenants', '--name', 'tag colour', '--dump');
      expect(tenants.output).to.contain('alter table "tag" add "colour"').and.not.contain('shelf');
      expect(await project.files('migrations/public')).to.deep.equal(before[0]);
      expect(await project.files('migrations/tenant')).to.have.length((before[1]?.length ?? 0) + 1);

      const shared = await project.run('migration:create', '--dump');
      expect(shared.output).to.contain('shelf').and.not.contain('colour');

      expect((await project.run('migration:up')).code).to.equal(0);
      expect((await project.run('migration:up', '--tenants')).code).to.equal(0);
    });

    it('M31 says which table of a tenant entity the public set would drop, and writes it if told to', async () => {
      // as an application with one tenant has it, that begins to have several
      await database.query('create table public.tag (id serial primary key, name text)');
      await rm(join(project.folder, 'migrations/public/.snapshot.json'));
      const before = await project.files('migrations/public');

      const refused = await project.run('migration:create');
      expect([refused.code, await project.files('migrations/public')], refused.output).to.deep.equal([2, before]);
      expect(refused.output)
        .to.contain('"tag"')
        .and.contain('--drop-moved')
        .and.not.match(/^ +at /m);

      const told = await project.run('migration:create', '--drop-moved', '--dump');
      expect(told.code, told.output).to.equal(0);
      expect(told.output).to.contain('drop table if exists "tag"');
    });

    it('law 10: refuses --tenants where the config has none, in words', async () => {
      await project.write('mikro-orm.config.ts', CONFIG_WITHOUT_TENANTS);

      const { code, output } = await project.run('migration:up', '--tenants');

      expect(code).to.equal(2);
      expect(output).to.contain('withTenants').and.not.contain('    at ');
    });
  },
  ['postgresql'],
);

// help is wrapped to the terminal width, so only the first line of an option is compared
/** The commands and options with what is said of them, without spaces: how wide the columns are depends on the longest one, and so does where they break. */
function linesOf(output: string): string[] {
  return output
    .replaceAll(/\n {20,}/g, '')
    .split('\n')
    .map(line => line.replaceAll(/\s+/g, ''));
}

const TAG_WITH_COLOUR = `
import { defineEntity, p } from '@mikro-orm/core';
const TagSchema = defineEntity({
  name: 'Tag', schema: '*',
  properties: { id: p.integer().primary(), name: p.string().unique(), colour: p.string().nullable() },
});
export class Tag extends TagSchema.class {}
TagSchema.setClass(Tag);
`;

const GENRE_WITH_SHELF = `
import { defineEntity, p } from '@mikro-orm/core';
const GenreSchema = defineEntity({
  name: 'Genre',
  properties: { id: p.integer().primary(), name: p.string().unique(), description: p.string().default(''), shelf: p.string().nullable() },
});
export class Genre extends GenreSchema.class {}
GenreSchema.setClass(Genre);
`;

const CONFIG_WITHOUT_TENANTS = `
import { defineConfig } from '@mikro-orm/postgresql';
import { Genre } from './entities/genre.ts';
export default defineConfig({ entities: [Genre], clientUrl: process.env.DATABASE_URL });
`;
