// Runs commands one after another in this process, each sent as `{ id, line, args, cwd, env }`, and answers with `{ id, code, output, stdout, stderr }`. `ours`
// is this package's command line, `stock` is MikroORM's own. A process for each would take a second or more to load the same modules.
let ended;
// yargs keeps the function that is there when it is loaded
process.exit = code => ended?.(code);
const { configure } = await import('@mikro-orm/cli');
const { runCli } = await import('../../../dist/cli/run-cli.js');
const { DatabaseDriver, MikroORM } = await import('@mikro-orm/core');
const LINES = { ours: runCli, stock: async args => (await configure()).parse(args), leave };
let last = Promise.resolve();

process.on('message', ({ id, line, args, cwd, env }) => {
  last = last.then(async () => {
    enter(cwd, env);
    process.send({ id, ...(await run(LINES[line], args)) });
  });
});
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.send('ready');

// a command may leave its ORM or its driver open, which ends with a process of its own
const opened = new Set();

for (const { prototype } of [MikroORM, DatabaseDriver]) {
  const connect = Reflect.get(prototype, 'connect');
  prototype.connect = function (...args) {
    opened.add(this);

    return connect.apply(this, args);
  };
}

async function leave() {
  await Promise.allSettled([...opened].map(each => each.close(true)));
  opened.clear();
  await new Promise(resolve => setTimeout(resolve, 20));

  // how many connections are open all the same
  return process.getActiveResourcesInfo().filter(name => name === 'TCPSocketWrap').length;
}

function enter(cwd, env) {
  process.chdir(cwd);

  for (const name of Object.keys(process.env).filter(each => !Object.hasOwn(env, each))) {
    delete process.env[name];
  }

  Object.assign(process.env, env);
}

async function run(commandLine, args) {
  const written = [];
  const restore = [capture('stdout', written), capture('stderr', written)];
  const exited = new Promise(resolve => {
    ended = code => resolve(code ?? process.exitCode ?? 0);
  });
  process.exitCode = undefined;
  const code = await Promise.race([
    exited,
    commandLine(args).then(
      code => Number(code?.constructor === Number ? code : (process.exitCode ?? 0)),
      () => 1,
    ),
  ]);
  restore.forEach(undo => undo());
  const textOf = names => written.flatMap(([name, text]) => (names.includes(name) ? [text] : [])).join('');

  return { code, output: textOf(['stdout', 'stderr']), stdout: textOf(['stdout']), stderr: textOf(['stderr']) };
}

function capture(name, written) {
  const stream = process[name];
  const { write } = stream;
  stream.write = (chunk, encoding, callback) => {
    written.push([name, String(chunk)]);
    const done = typeof encoding === 'function' ? encoding : callback;
    done?.();

    return true;
  };

  return () => {
    stream.write = write;
  };
}
