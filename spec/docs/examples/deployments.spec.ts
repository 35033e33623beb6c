import { tenants, type RunResult } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { migrateAll } from '../../../docs/examples/bookshop/migrate.ts';
import { tablesOf } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { createShop, openBookshop, openEmptyBookshop } from '../../support/orm/bookshop.ts';
import { ROOT } from '../../support/orm/library-orm.ts';
import { createBookshopProject, type BookshopProject } from '../../support/processes/bookshop-project.ts';
import { transcriptsOf } from '../../support/processes/transcripts.ts';
import { freePort } from '../../support/web/free-port.ts';
import { send } from '../../support/web/http.ts';

const FOLDER = join(ROOT, 'docs/examples/deployments');

onDatabases(
  'the page on deployments',
  database => {
    let project: BookshopProject;

    before(async () => {
      project = await createBookshopProject(database.url ?? '');
      database.atEnd(() => project.remove());
    });

    it('M3 M12 builds, migrates both sets by the commands of the job, and serves, as the files for Docker and Kubernetes say', async () => {
      const { build, serve, env } = await dockerfile();
      await cp(join(FOLDER, 'tsconfig.json'), join(project.folder, 'tsconfig.json'));
      expect(build).to.deep.equal(['npx', 'tsc', '--outDir', 'dist']);
      await promisify(execFile)(process.execPath, [TSC, ...build.slice(2)], { cwd: project.folder });

      for (const command of await commandsOfJob()) {
        expect(command.slice(0, 2)).to.deep.equal(['npx', 'mikro-orm']);
        const { code, output } = await run([join(ROOT, 'dist/cli/bin.js'), ...command.slice(2)], env);
        expect(code, output).to.equal(0);
      }

      const orm = await openBookshop(database);
      await createShop('acme');
      const port = await freePort();
      const child = spawn(process.execPath, serve.slice(1), {
        cwd: project.folder,
        env: { ...process.env, ...env, DATABASE_URL: database.url, PORT: String(port) },
      });
      const ended = once(child, 'exit');
      await once(child.stdout, 'data');
      const { path } = (await manifest('deployment.yaml')).spec.template.spec.containers[0].readinessProbe.httpGet;
      expect((await send({ port, host: '10.0.0.7', path })).status).to.equal(204);
      expect((await send({ port, host: '10.0.0.7', path: '/' })).status).to.equal(404);
      expect((await send({ port, host: 'acme.example.com', path: '/' })).body).to.equal('acme');
      child.kill('SIGTERM');
      expect(await ended).to.deep.equal([0, null]);
      await orm.close();
    });

    it('M8 prints the states of a deployment as the page says', async () => {
      const codes = await project.replay(transcriptsOf('docs/guides/deployments.md').flat());

      expect(codes).to.deep.equal(codes.map(() => 0));
    });

    it('M5 all processes that start at once migrate, and none fails', async () => {
      await database.query('drop schema acme cascade');
      await database.query('drop table client, genre, mikro_orm_migrations');
      const unlocked = [await openEmptyBookshop(database), await openEmptyBookshop(database)];
      const outcomes = await Promise.allSettled(unlocked.map(orm => orm.migrator.up()));
      const failures = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [String(outcome.reason)] : []));
      expect(failures.filter(each => !/ already exists$|duplicate key value/.test(each))).to.deep.equal([]);
      await database.query('drop table client, genre, mikro_orm_migrations');

      const orms = [await openEmptyBookshop(database), await openEmptyBookshop(database)];
      const migrate = async (): Promise<RunResult[]> => Promise.all(orms.map(orm => migrateAll(orm as never)));
      await migrate();
      expect(await tablesOf(database, 'public')).to.deep.equal(['client', 'genre', 'mikro_orm_migrations']);
      await tenants(orms[0]).create({ name: 'acme', domainUrl: 'acme.example.com', schemaName: 'acme' });
      await database.query('drop table acme.book, acme.user');
      await database.query('delete from acme.mikro_orm_migrations');
      const results = await migrate();
      expect(results.flatMap(({ migrated }) => migrated)).to.have.length(1);
      expect(results.flatMap(({ failed }) => failed)).to.deep.equal([]);
    });

    it('M3 the script migrates before and after the new code, and stops where a step fails', async () => {
      const log = join(project.folder, 'kubectl.log');
      const fake = join(project.folder, 'kubectl');
      await writeFile(fake, `#!/bin/sh\necho "$1 $2" >> "${log}"\n[ "$1" != "$FAILS" ]\n`);
      await chmod(fake, 0o755);
      const deploy = async (fails = ''): Promise<string[]> => {
        await writeFile(log, '');
        const env = { ...process.env, PATH: `${project.folder}:${process.env['PATH']}`, FAILS: fails };
        await promisify(execFile)('sh', [join(FOLDER, 'deploy.sh')], { cwd: FOLDER, env }).catch(() => undefined);

        return (await readFile(log, 'utf8')).trim().split('\n');
      };
      const migrate = ['delete job', 'apply -f', 'wait --for=condition=complete'];

      expect(await deploy()).to.deep.equal([...migrate, 'apply -f', 'rollout status', ...migrate]);
      expect(await deploy('wait')).to.deep.equal(migrate);
    });

    it('M3 the file for Docker Compose has the same commands, in this order', async () => {
      const { services } = parse(await readFile(join(FOLDER, 'compose.yaml'), 'utf8'), { merge: true });

      expect(services['migrate-public'].command).to.deep.equal((await commandsOfJob())[0]);
      expect(services['migrate-tenants'].command).to.deep.equal((await commandsOfJob())[1]!.slice(0, 4));
      expect(Object.entries(services).map(([name, { depends_on = {} }]: any) => [name, ...Object.keys(depends_on)])).to.deep.equal([
        ['database'],
        ['migrate-public', 'database'],
        ['migrate-tenants', 'migrate-public'],
        ['shop', 'migrate-tenants'],
      ]);
    });

    async function run(args: readonly string[], env: object): Promise<{ code: unknown; output: string }> {
      const child = spawn(process.execPath, args, {
        cwd: project.folder,
        env: { ...process.env, ...env, DATABASE_URL: database.url },
      });
      let output = '';
      child.stdout.on('data', chunk => (output += chunk));
      child.stderr.on('data', chunk => (output += chunk));
      const [code] = await once(child, 'close');

      return { code, output };
    }
  },
  ['postgresql'],
);

async function manifest(file: string): Promise<any> {
  return parse(await readFile(join(FOLDER, file), 'utf8'));
}

/** Of the public set first: a pod starts its containers when all that are to be run before have succeeded. */
async function commandsOfJob(): Promise<string[][]> {
  const { initContainers, containers } = (await manifest('job.yaml')).spec.template.spec;

  return [...initContainers, ...containers].map(({ command }) => command);
}

async function dockerfile(): Promise<{ build: string[]; serve: string[]; env: Record<string, string> }> {
  const lines = (await readFile(join(FOLDER, 'Dockerfile'), 'utf8')).split('\n').filter(line => line !== '');
  const instructions = lines.map(line => /^(FROM|WORKDIR|COPY|RUN|ENV|USER|CMD) (.+)$/.exec(line)?.slice(1) ?? [line]);
  expect(instructions.filter(({ length }) => length !== 2)).to.deep.equal([]);
  const of = (name: string): string[] => instructions.flatMap(([each, value = '']) => (each === name ? [value] : []));

  return {
    build: of('RUN')[1]!.split(' '),
    serve: JSON.parse(of('CMD')[0]!),
    env: Object.fromEntries(of('ENV').map(each => each.split('='))),
  };
}

const TSC = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
