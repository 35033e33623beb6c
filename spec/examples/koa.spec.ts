import { expect } from 'chai';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeEmptyData } from '../support/databases/empty-pglite.ts';
import { until } from '../support/assertions/until.ts';
import { ROOT } from '../support/orm/library-orm.ts';
import { send, submit, type HttpResponse } from '../support/web/http.ts';

describe('examples/koa, started by its command', () => {
  let child: ChildProcess;
  let port: number;
  let folder: string;
  let output = '';

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'landlord-example-'));
    await writeEmptyData(join(folder, 'data'));
    const env = { ...process.env, PORT: '0', EXAMPLE_DATA: join(folder, 'data') };
    child = spawn(process.execPath, ['--import', 'tsx', 'examples/koa/start.ts'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout!, 'data')) as [Buffer];
    port = Number(/:(\d+)/.exec(line.toString())?.[1]);
    child.stdout!.on('data', (data: Buffer) => (output += data.toString()));
  });

  after(async () => {
    child.kill();
    await rm(folder, { recursive: true });
  });

  it('T1 H1 H15 H18 J1 J4 S1 signs teams up, shows each its own tasks, and ends when it is told to', async () => {
    expect((await signUp('red')).status).to.equal(302);
    expect((await signUp('blue')).status).to.equal(302);
    expect((await get('localhost')).body)
      .to.contain('http://red.localhost')
      .and.to.contain('http://blue.localhost');

    expect((await submit({ port, host: 'red.localhost', path: '/tasks' }, { title: 'Paint <it>', priority: 'high' })).status).to.equal(302);
    expect((await get('red.localhost')).body)
      .to.contain('Tasks of red')
      .and.to.contain('Paint &lt;it> (high)');
    expect((await get('blue.localhost')).body)
      .to.contain('Tasks of blue')
      .and.not.to.contain('Paint');

    const [taken, invalid, unknown] = [await signUp('red'), await signUp('r-ed'), await get('green.localhost')];
    expect([taken.status, invalid.status, unknown.status]).to.deep.equal([409, 400, 404]);

    expect((await submit({ port, host: 'localhost', path: '/domains' }, { team: 'red', domain: 'paint.localhost' })).status).to.equal(302);
    expect((await get('paint.localhost')).body).to.contain('Tasks of red');
    expect((await submit({ port, host: 'localhost', path: '/domains' }, { team: 'blue', domain: 'paint.localhost' })).status).to.equal(409);
    expect((await send({ port, host: 'localhost', path: '/health' })).body).to.equal('ok');

    expect((await setState('red', 'suspended')).status).to.equal(302);
    expect([(await get('red.localhost')).status, (await get('paint.localhost')).status]).to.deep.equal([404, 404]);
    expect((await setState('red', 'maintenance')).status).to.equal(302);
    expect((await get('paint.localhost')).status).to.equal(503);
    expect((await get('blue.localhost')).body).to.contain('Tasks of blue');
    expect((await setState('red', 'active')).status).to.equal(302);
    expect((await get('red.localhost')).body).to.contain('Paint &lt;it> (high)');

    expect((await submit({ port, host: 'red.localhost', path: '/clean' }, {})).status).to.equal(302);
    await until('the job is logged', () => output.includes('tasks were deleted'));
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).to.deep.equal([0, null]);
    const lines = output
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line) as { tenant?: string; message: string });
    expect(lines).to.deep.include({ tenant: 'team_red', message: '0 tasks were deleted' });
    expect(lines).to.deep.include({ tenant: 'team_blue', message: 'GET / 200' });
    expect(lines).to.deep.include({ message: 'GET /health 200' });
  });

  function signUp(name: string): Promise<HttpResponse> {
    return submit({ port, host: 'localhost', path: '/teams' }, { name });
  }

  function setState(team: string, state: string): Promise<HttpResponse> {
    return submit({ port, host: 'localhost', path: '/state' }, { team, state });
  }

  function get(host: string): Promise<HttpResponse> {
    return send({ port, host, path: '/' });
  }
});
